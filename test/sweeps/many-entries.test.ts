import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryFolder } from '../fixtures/stores.js';
import { endBlocks } from '../fixtures/tar-builder.js';
import { pipeInto, type PipedResult } from './piped-command.js';
import { smallLayout } from './small-archives.js';
import { tinyEntries } from './tiny-entries.js';

const MAX_RSS_BYTES = 192 * 1024 * 1024;

/** Bytes that may be on their way when the command ends: in its pipe, in both streams, and a chunk of entries. */
const SLACK_BYTES = 2 * 1024 * 1024;

interface Loaded extends PipedResult {
  /** Bytes of the archive that were made, since the command took those before them. */
  readonly takenBytes: number;
}

/** A good archive, and so many entries that nothing needs: behind it, or before it, when nothing is known yet. */
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

// What each entry costs is judged in linear-work.test.ts: here, that no entry behind the limit costs anything.
test('refuses 1 000 000 entries after the 200 000 that are allowed, within 192 MiB', async (t) => {
  const result = await loadWith(t, 1_000_000);
  assert.equal(result.status, 5, result.stderr);
  assert.match(result.stderr, /more than 200000 entries \[ERR_LIMIT_ENTRIES\]/);
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  assert.ok(result.takenBytes <= 200_000 * 512 + SLACK_BYTES, `took ${result.takenBytes} bytes`);
  tell(t, result);
});

test('takes 200 000 entries, of which nearly all are ignored, within 192 MiB', async (t) => {
  const result = await loadWith(t, 199_995);
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stdout, 'Loaded image: example/app:1\n');
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  tell(t, result);
});

test('takes 100 000 lying blobs before the index that would tell they are not needed, within 192 MiB', async (t) => {
  const result = await loadWith(t, 100_000, 'before');
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stdout, 'Loaded image: example/app:1\n');
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  tell(t, result);
});

function tell(t: TestContext, { takenBytes, peakRssBytes }: Loaded): void {
  t.diagnostic(`took ${takenBytes >> 20} MiB, held ${peakRssBytes >> 20} MiB`);
}
