import assert from 'node:assert/strict';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { projectRoot } from '../fixtures/tables.js';
import { faultFolder } from './form.js';
import type { TrapName } from './traps.js';

/** A program with one fault, and the traps that must catch it. */
export interface Mutant {
  readonly title: string;
  readonly edits: readonly Edit[];
  readonly traps: readonly TrapName[];
}

/** One change of a built file. The file must have the text exactly once, or the mutant could equal the original. */
interface Edit {
  readonly file: string;
  readonly text: string;
  readonly by: string;
}

const INGEST = 'stores/layout/ingest/file-ingest.js';
const DURABLE = 'files/durable-file.js';

/** Each mutant leaves out one thing that the promise of the store needs. */
export const MUTANTS: readonly Mutant[] = [
  {
    title: 'does not sync blobs',
    edits: [{ file: INGEST, text: 'await syncBytes(this.#fd, path.dirname(this.#options.file));', by: '' }],
    traps: ['order', 'power'],
  },
  {
    title: 'does not sync the list of images',
    edits: [{ file: DURABLE, text: 'await fs.fchmod(fd, mode);', by: 'await fs.fchmod(fd, mode); return;' }],
    traps: ['order', 'power'],
  },
  {
    title: 'does not sync folders',
    edits: [
      { file: DURABLE, text: 'async function syncFolder(folder) {', by: 'async function syncFolder(folder) { return;' },
    ],
    traps: ['order'],
  },
  {
    title: 'gives a blob its name before it is synced',
    edits: [
      {
        file: INGEST,
        text: 'await this.#makeDurable();',
        by: 'await this.#link(expected); await this.#makeDurable();',
      },
    ],
    traps: ['order'],
  },
  {
    title: 'publishes images before the names of their blobs are synced',
    edits: [{ file: 'stores/layout/layout-session.js', text: 'await syncFolder(folder);', by: '' }],
    traps: ['order'],
  },
  {
    title: 'claims no blobs',
    edits: [
      {
        file: 'stores/layout/leases/lease.js',
        text: '    claim(digests) {\n        if (!this.#isOpen)',
        by: '    claim(digests) {\n        if (true)',
      },
    ],
    traps: ['order', 'pruneDuringLoad'],
  },
  {
    title: 'collects blobs that a lease claims',
    edits: [{ file: 'stores/layout/trash/collect.js', text: '...leased, ', by: '' }],
    traps: ['pruneDuringLoad'],
  },
  {
    title: 'collects blobs without checking them a second time',
    edits: [
      { file: 'stores/layout/trash/collect.js', text: 'await collectable(store, trashed, options)', by: 'trashed' },
    ],
    traps: ['loadDuringPrune'],
  },
  {
    title: 'publishes a generation whose number another process has already taken',
    edits: [
      {
        file: 'stores/layout/refs/refs-publisher.js',
        text: '(await this.#link(number + 1, next))',
        by: '((await this.#link(number + 1, next)), true)',
      },
    ],
    traps: ['tagDuringLoad'],
  },
  {
    title: 'checks no digest',
    edits: [
      { file: 'stages/verify-digests.js', text: 'digester.digest() !== expected', by: 'false' },
      { file: INGEST, text: 'actual !== expected.digest', by: 'false' },
    ],
    traps: ['damage'],
  },
  {
    title: 'writes a blob directly into its final file',
    edits: [
      {
        file: INGEST,
        text: 'fs.linkSync(this.#options.file, blob);',
        by: 'fs.copyFileSync(this.#options.file, blob, fs.constants.COPYFILE_EXCL);',
      },
    ],
    traps: ['kill'],
  },
  {
    title: 'writes index.json in place',
    edits: [{ file: DURABLE, text: 'await fs.rename(temporary, file);', by: 'await fs.copyFile(temporary, file);' }],
    traps: ['kill'],
  },
];

/** Builds the mutant in a copy of the program, and returns the path of its `main.js`. */
export async function buildMutant(t: TestContext, { title, edits }: Mutant): Promise<string> {
  const folder = await faultFolder(t);
  const at = (name: string): string => path.join(folder, name);
  await mkdir(at('dist'));
  await cp(path.join(projectRoot(), 'dist'), at('dist'), { recursive: true });
  await cp(path.join(projectRoot(), 'package.json'), at('package.json'));
  await symlink(path.join(projectRoot(), 'node_modules'), at('node_modules'));
  for (const { file, text, by } of edits) {
    const before = await readFile(at(`dist/${file}`), 'utf8');
    assert.equal(before.split(text).length, 2, `the mutant that ${title} finds its place in ${file}: ${text}`);
    await writeFile(
      at(`dist/${file}`),
      before.replace(text, () => by),
    );
  }
  return at('dist/cli/main.js');
}
