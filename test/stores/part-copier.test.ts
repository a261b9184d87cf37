import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { digestOf, type Digester } from '../../src/model/digest.js';
import { CopyWorkers } from '../../src/stores/copy-workers.js';
import { FileIngest } from '../../src/stores/file-ingest.js';
import { SharedFile, type FilePart } from '../../src/stores/file-part.js';
import { PartCopier } from '../../src/stores/part-copier.js';
import { readAll } from '../../src/stores/read-document.js';
import { readFileChunks } from '../../src/stores/read-file.js';
import { temporaryFolder } from '../fixtures/load-helpers.js';
import { seededBytes } from '../fixtures/seeded.js';
import { openFds } from '../fixtures/until.js';

const BYTES = seededBytes('part', 40 * 1024 * 1024);
const SIGNAL = new AbortController().signal;

interface Stand {
  readonly folder: string;
  readonly part: (start: number, size: number) => FilePart;
  readonly copier: (workers?: CopyWorkers) => { readonly copying: PartCopier; readonly end: () => Promise<void> };
}

async function stand(t: TestContext): Promise<Stand> {
  const folder = await temporaryFolder(t);
  const source = path.join(folder, 'source');
  await writeFile(source, BYTES);
  let ingests = 0;
  const begin = async (digester?: Digester): Promise<FileIngest> =>
    await FileIngest.create({
      file: path.join(folder, `ingest-${(ingests += 1)}`),
      blobOf: (digest) => path.join(folder, digest),
      onLinked: () => {},
      digester,
    });
  return {
    folder,
    part: (start, size) => ({ file: new SharedFile(() => openSync(source, 'r')), start, size }),
    copier: (workers = new CopyWorkers(2)) => ({
      copying: new PartCopier(begin, workers),
      end: async () => await workers.end(),
    }),
  };
}

/** A part that threads copy, since there is more of it than is copied without them. */
const PART = { start: 3, size: 30 * 1024 * 1024 } as const;
const WHOLE = BYTES.subarray(PART.start, PART.start + PART.size);
const EXPECTED = { digest: digestOf(WHOLE), size: PART.size };

test('copies small and large parts', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const fds = openFds();
  for (const size of [0, 1, 70_000, 300_000, 2_000_000, PART.size]) {
    const digest = digestOf(BYTES.subarray(5, 5 + size));
    assert.equal(await copying.copy(part(5, size), { digest, size }, SIGNAL), 'stored');
    assert.equal(await copying.copy(part(5, size), { digest, size }, SIGNAL), 'present');
    const file = { acquire: () => openSync(path.join(folder, digest), 'r'), release: () => {} };
    assert.equal(digestOf(await readAll(readFileChunks(file), PART.size)), digest);
  }
  await end();
  assert.ok(openFds() <= fds + 6, 'only what the test itself has opened');
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('ingest')),
    [],
  );
});

for (const [what, script] of [
  ['end in the middle of their work', "process.getBuiltinModule?.('x'); setTimeout(() => process.exit(1), 50);"],
  ['never start', 'no script'],
] as const) {
  test(`copies without threads where threads ${what}`, async (t) => {
    const { folder, part, copier } = await stand(t);
    const workers = new CopyWorkers(2, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    const { copying, end } = copier(workers);
    const other = { digest: digestOf(BYTES.subarray(0, PART.size)), size: PART.size };
    const outcomes = await Promise.all([
      copying.copy(part(PART.start, PART.size), EXPECTED, SIGNAL),
      copying.copy(part(0, PART.size), other, SIGNAL),
    ]);
    assert.deepEqual(outcomes, ['stored', 'stored']);
    await end();
    for (const { digest } of [EXPECTED, other]) {
      const file = { acquire: () => openSync(path.join(folder, digest), 'r'), release: () => {} };
      assert.equal(digestOf(await readAll(readFileChunks(file), PART.size)), digest);
    }
  });
}

test('stores nothing that is not what it has to be', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  for (const [start, size, code] of [
    [PART.start + 1, PART.size, 'ERR_DIGEST_MISMATCH'],
    [BYTES.length - PART.size + 1, PART.size, 'ERR_SIZE_MISMATCH'],
  ] as const) {
    await assert.rejects(copying.copy(part(start, size), EXPECTED, SIGNAL), { code });
  }
  await end();
  assert.deepEqual(await readdir(folder), ['source']);
});

test('gives a copy up', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const controller = new AbortController();
  const going = copying.copy(part(PART.start, PART.size), EXPECTED, controller.signal);
  controller.abort();
  await assert.rejects(going, { code: 'ERR_ABORTED' });
  await end();
  assert.deepEqual(await readdir(folder), ['source']);
});

test('leaves nothing where a part cannot be opened, small or large', async (t) => {
  const { folder, copier } = await stand(t);
  const { copying, end } = copier();
  const fds = openFds();
  for (const size of [1000, PART.size]) {
    const file = new SharedFile(() => openSync(path.join(folder, 'nothing'), 'r'));
    await assert.rejects(copying.copy({ file, start: 0, size }, { ...EXPECTED, size }, SIGNAL), /ENOENT/);
  }
  await end();
  assert.ok(openFds() <= fds);
  assert.deepEqual(await readdir(folder), ['source']);
});
