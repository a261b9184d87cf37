import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryFolder } from '../fixtures/load-helpers.js';
import { endBlocks } from '../fixtures/tar-builder.js';
import { pipeInto, type PipedResult } from './piped-command.js';
import { smallLayout } from './small-archives.js';
import { tinyEntries } from './tiny-entries.js';

const MAX_RSS_BYTES = 192 * 1024 * 1024;

/** A good archive, and so many entries that nobody needs: behind it, or before it, when nothing is known yet. */
async function loadWith(t: TestContext, count: number, where: 'before' | 'behind' = 'behind'): Promise<PipedResult> {
  const folder = await temporaryFolder(t);
  const archive = await smallLayout();
  function* source(): Generator<Buffer> {
    if (where === 'before') yield* tinyEntries(count);
    yield archive.subarray(0, -endBlocks().length);
    if (where === 'behind') yield* tinyEntries(count);
    yield endBlocks();
  }
  return await pipeInto(['load', '--store', path.join(folder, 'store')], source(), folder);
}

test('refuses 1 000 000 entries with 5 seconds of work and 192 MiB', async (t) => {
  const result = await loadWith(t, 1_000_000);
  assert.equal(result.status, 5, result.stderr);
  assert.match(result.stderr, /more than 200000 entries \[ERR_LIMIT_ENTRIES\]/);
  assert.ok(result.peakRssBytes <= MAX_RSS_BYTES, `${result.peakRssBytes} bytes`);
  assert.ok(result.cpuSeconds < 5, `${result.cpuSeconds} s`);
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

function tell(t: TestContext, { cpuSeconds, peakRssBytes }: PipedResult): void {
  t.diagnostic(`${cpuSeconds.toFixed(1)} s of work, ${peakRssBytes >> 20} MiB`);
}
