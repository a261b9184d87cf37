import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { projectRoot } from '../fixtures/tables.js';
import { requireContainerd, startContainerd } from './containerd.js';
import { SmallStock } from './differing-archives.js';
import { ACCEPTED_DIFFERENTLY, REFUSED_BY_LADING, rowOf, sourceOf, type KnownDifference } from './known-differences.js';
import { readWithContainerd, readWithLading, rootBySkopeo, summaryOf } from './other-readers.js';
import { temporaryFolder } from './workspace.js';

const ALL = [...ACCEPTED_DIFFERENTLY, ...REFUSED_BY_LADING];

/** Each case with its archive as a file. */
async function* written(t: TestContext): AsyncGenerator<readonly [KnownDifference, file: string, bytes: Buffer]> {
  const folder = await temporaryFolder(t);
  for (const [at, difference] of ALL.entries()) {
    const bytes = await difference.make(new SmallStock());
    const file = path.join(folder, `${at}.tar`);
    await writeFile(file, bytes);
    yield [difference, file, bytes];
  }
}

test('Lading reads the archives of docs/differences.md as it says', async () => {
  for (const difference of ALL) {
    const view = await readWithLading(await difference.make(new SmallStock()));
    assert.equal(summaryOf(view), difference.lading, difference.archive);
  }
});

test('containerd reads the archives of docs/differences.md as it says', async (t) => {
  if (!requireContainerd(t)) return;
  const containerd = await startContainerd(t);
  for await (const [difference, file] of written(t)) {
    const view = await readWithContainerd(containerd, file, path.basename(file, '.tar'));
    assert.equal(summaryOf(view), difference.containerd, difference.archive);
  }
});

test('skopeo reads the archives of docs/differences.md as it says', async (t) => {
  if (!requireTool(t, 'skopeo')) return;
  for await (const [difference, file] of written(t)) {
    const root = await rootBySkopeo(sourceOf(difference, file));
    assert.equal(root === undefined ? 'refuses' : 'takes', difference.skopeo, difference.archive);
  }
});

test('docs/differences.md lists every known difference, and no other', () => {
  const text = readFileSync(path.join(projectRoot(), 'docs', 'differences.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:archive|-)/.test(line));
  const cells = rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  assert.deepEqual(cells, ALL.map(rowOf));
});
