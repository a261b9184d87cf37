import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { jsonEntry } from '../fixtures/archive-entries.js';
import { load } from '../fixtures/loading.js';
import { endBlocks, tarOf } from '../fixtures/tar-builder.js';
import { cpuMsSince } from '../fixtures/work.js';
import { smallLayout } from './small-archives.js';
import { tinyEntries } from './tiny-entries.js';

/** How many times as much the larger archive holds as the smaller one. */
const TIMES = 8;

/** Linear work takes up to 8 times as long, quadratic work 64 times as long. */
const MAX_RATIO = 24;

/** Number of runs, of which the quickest counts: other work of this process makes runs longer, never shorter. */
const RUNS = 2;

async function loadOnce(archive: () => AsyncIterable<Buffer>): Promise<void> {
  await load(new MemoryStore(), archive()).catch((error: unknown) => {
    // A refusal is work too.
    if (!(error instanceof LadingError)) throw error;
  });
}

/** Processor time of the quickest load, in milliseconds. */
async function workOf(archive: () => AsyncIterable<Buffer>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const start = process.cpuUsage();
    await loadOnce(archive);
    times.push(cpuMsSince(start));
  }
  return Math.min(...times);
}

/** `count` empty blobs that no image needs, and then a good archive. */
async function withEntries(count: number): Promise<() => AsyncIterable<Buffer>> {
  const archive = await smallLayout();
  return async function* () {
    yield* tinyEntries(count);
    yield archive.subarray(0, -endBlocks().length);
    yield endBlocks();
  };
}

/** An archive whose index.json lists `count` manifests that the archive does not have. */
async function withDescriptors(count: number): Promise<() => AsyncIterable<Buffer>> {
  const manifests = Array.from({ length: count }, (_, at) => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestOf(`manifest ${at}`),
    size: 100 + at,
  }));
  const bytes = await tarOf([
    jsonEntry('oci-layout', { imageLayoutVersion: '1.0.0' }),
    jsonEntry('index.json', { schemaVersion: 2, manifests }),
  ]);
  return async function* () {
    yield bytes;
  };
}

for (const [what, count, archiveOf] of [
  ['entries', 1500, withEntries],
  ['descriptors', 1000, withDescriptors],
] as const) {
  test(`takes ${TIMES} times as long, not ${TIMES ** 2} times, for ${TIMES} times as many ${what}`, async (t) => {
    const [few, many] = [await archiveOf(count), await archiveOf(count * TIMES)];
    // A first run that is not measured, so that both measured runs use compiled code.
    await loadOnce(few);
    const [less, more] = [await workOf(few), await workOf(many)];
    t.diagnostic(`${less.toFixed(0)} ms for ${count}, ${more.toFixed(0)} ms for ${count * TIMES}`);
    assert.ok(more < less * MAX_RATIO, `${more} ms, ${less} ms`);
  });
}
