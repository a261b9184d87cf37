import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryFolder } from '../fixtures/stores.js';
import { endBlocks } from '../fixtures/tar-builder.js';
import { pipeInto, type PipedResult } from './piped-command.js';
import { smallLayout } from './small-archives.js';
import { tinyEntries } from './tiny-entries.js';

const MAX_RSS_BYTES = 192 * 1024 * 1024;

/** Bytes that the command may not have read yet when it ends: in its pipe, in both streams, and in one chunk. */
const SLACK_BYTES = 2 * 1024 * 1024;

interface Loaded extends PipedResult {
  /** Bytes of the archive that were made. The archive is made only as fast as the command reads it. */
  readonly takenBytes: number;
}

/** Loads a good archive with `count` entries that no image needs, before or behind its own entries. */
async function loadWith(t: TestContext, count: number, where: 'before' | 'behind' = 'behind'): Promise<Loaded> {
  const folder = await temporaryFolder(t);
  const archive = await smallLayout();
  let takenBytes = 0;
  function* parts(): Generator<Buffer> {
    if (where === 'before') yield* tinyEntries(count);
    yield archive.subarray(0, -endBlocks().length);
    if (where === 'behind') yield* tinyEntries(count);
    yield endBlocks();
  }
  function* source(): Generator<Buffer> {
    for (const part of parts()) {
      takenBytes += part.length;
      yield part;
    }
  }
  const result = await pipeInto(['load', '--store', path.join(folder, 'store')], source(), folder);
  return { ...result, takenBytes };
}

// linear-work.test.ts judges the work for each entry. These tests judge that entries behind the limit are not read.
test('refuses 1 000 000 entries after the 200 000 allowed ones, within 192 MiB', async (t) => {
  const result = await loadWith(t, 1_000_000);
  assert.equal(result.status, 5, result.stderr);
  assert.match(result.stderr, /more than 200000 entries \[ERR_LIMIT_ENTRIES\]/);
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  assert.ok(result.takenBytes <= 200_000 * 512 + SLACK_BYTES, `took ${result.takenBytes} bytes`);
  reportCost(t, result);
});

test('loads an archive of 200 000 entries, nearly all of them ignored, within 192 MiB', async (t) => {
  const result = await loadWith(t, 199_995);
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stdout, 'Loaded image: example/app:1\n');
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  reportCost(t, result);
});

test('loads an archive that starts with 200 000 wrong blobs that no image needs, within 192 MiB', async (t) => {
  const result = await loadWith(t, 199_995, 'before');
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stdout, 'Loaded image: example/app:1\n');
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  reportCost(t, result);
});

test('loads a file that starts with 200 000 wrong blobs that no image needs, within 192 MiB', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'archive.tar');
  await writeFile(file, Buffer.concat([...tinyEntries(199_995), await smallLayout()]));
  const result = await pipeInto(['load', '--store', path.join(folder, 'store'), '-i', file], [], folder);
  assert.deepEqual([result.status, result.stdout], [0, 'Loaded image: example/app:1\n'], result.stderr);
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
});

function reportCost(t: TestContext, { takenBytes, peakRssBytes }: Loaded): void {
  t.diagnostic(`took ${takenBytes >> 20} MiB, held ${peakRssBytes >> 20} MiB`);
}
