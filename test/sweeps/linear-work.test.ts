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

/** The larger archive has so many times as much in it as the smaller one. */
const TIMES = 8;

/** Linear work takes 8 times as long, and a little less with what every load takes; quadratic work takes 64 times as long. */
const MAX_RATIO = 24;

/** Of so many runs the quickest one counts: what else this process does at the time makes the others longer. */
const RUNS = 2;

async function loadOnce(archive: () => AsyncIterable<Buffer>): Promise<void> {
  await load(new MemoryStore(), archive()).catch((error: unknown) => {
    // To refuse is work too.
    if (!(error instanceof LadingError)) throw error;
  });
}

/** Processor time of the quickest of some loads, in milliseconds. */
async function workOf(archive: () => AsyncIterable<Buffer>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const start = process.cpuUsage();
    await loadOnce(archive);
    times.push(cpuMsSince(start));
  }
  return Math.min(...times);
}

/** A good archive behind so many empty blobs that nothing needs. */
async function withEntries(count: number): Promise<() => AsyncIterable<Buffer>> {
  const archive = await smallLayout();
  return async function* () {
    yield* tinyEntries(count);
    yield archive.subarray(0, -endBlocks().length);
    yield endBlocks();
  };
}

/** An archive whose index.json lists so many manifests that are not there. */
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
  test(`works ${TIMES} times as long, not ${TIMES ** 2} times, where there are ${TIMES} times as many ${what}`, async (t) => {
    const [few, many] = [await archiveOf(count), await archiveOf(count * TIMES)];
    // Once before anything counts, so that both find compiled code.
    await loadOnce(few);
    const [less, more] = [await workOf(few), await workOf(many)];
    t.diagnostic(`${less.toFixed(0)} ms for ${count}, ${more.toFixed(0)} ms for ${count * TIMES}`);
    assert.ok(more < less * MAX_RATIO, `${more} ms, ${less} ms`);
  });
}
