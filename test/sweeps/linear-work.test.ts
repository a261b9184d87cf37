import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutEntries, type LayoutImage } from '../fixtures/archive-builder.js';
import { jsonEntry } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { chunksOf, load } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { endBlocks, tarOf } from '../fixtures/tar-builder.js';
import { cpuMsSince } from '../fixtures/work.js';
import { smallLayout } from './small-archives.js';
import { tinyEntries } from './tiny-entries.js';

/** How many times as much the larger archive holds as the smaller one. */
const TIMES = 8;

/** Linear work takes up to 8 times as long. Quadratic work beside it takes more than 20 times as long. */
const MAX_RATIO = 16;

/** Number of runs, of which the quickest counts: other work of this process makes runs longer, never shorter. */
const RUNS = 2;

async function loadOnce(archive: () => AsyncIterable<Buffer>, store = new MemoryStore()): Promise<void> {
  await load(store, archive()).catch((error: unknown) => {
    // A refusal is work too.
    if (!(error instanceof LadingError)) throw error;
  });
}

/** Loads into a new store, and once more: the second load finds every name there. */
async function loadTwice(archive: () => AsyncIterable<Buffer>): Promise<void> {
  const store = new MemoryStore();
  await loadOnce(archive, store);
  await loadOnce(archive, store);
}

/** Processor time of the quickest run, in milliseconds. */
async function workOf(run: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < RUNS; at += 1) {
    const start = process.cpuUsage();
    await run();
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

/** A layout with these images. */
async function layoutOf(images: readonly LayoutImage[], blobs: BlobSet): Promise<() => AsyncIterable<Buffer>> {
  const bytes = await tarOf(layoutEntries(images, blobs));
  return () => chunksOf(bytes, 64 * 1024);
}

/** An image of two platforms with `count` names. */
async function withNames(count: number): Promise<() => AsyncIterable<Buffer>> {
  const blobs = new BlobSet();
  const platforms = ['linux/amd64', 'linux/arm64'];
  const root = buildIndex(
    blobs,
    platforms.map((platform) => manifestOf(blobs, platform, platform)),
  );
  return await layoutOf(
    Array.from({ length: count }, (_, at) => ({ root, name: `example/app:${at}` })),
    blobs,
  );
}

/** `count` images of one platform, each with a name. */
async function withImages(count: number): Promise<() => AsyncIterable<Buffer>> {
  const blobs = new BlobSet();
  const imageOf = (at: number) => ({
    root: manifestOf(blobs, 'linux/amd64', `image ${at}`),
    name: `example/app:${at}`,
  });
  return await layoutOf(
    Array.from({ length: count }, (_, at) => imageOf(at)),
    blobs,
  );
}

function manifestOf(blobs: BlobSet, platform: string, seed: string): Descriptor {
  return buildManifest(blobs, { platform, seed, compression: 'none', layers: 1 });
}

for (const [what, count, archiveOf, work] of [
  ['entries', 1500, withEntries, loadOnce],
  ['descriptors', 1000, withDescriptors, loadOnce],
  ['names', 800, withNames, loadTwice],
  ['images', 250, withImages, loadTwice],
] as const) {
  test(`takes ${TIMES} times as long, not ${TIMES ** 2} times, for ${TIMES} times as many ${what}`, async (t) => {
    const [few, many] = [await archiveOf(count), await archiveOf(count * TIMES)];
    // A first run that is not measured, so that both measured runs use compiled code.
    await work(few);
    const [less, more] = [await workOf(async () => await work(few)), await workOf(async () => await work(many))];
    t.diagnostic(`${less.toFixed(0)} ms for ${count}, ${more.toFixed(0)} ms for ${count * TIMES}`);
    assert.ok(more < less * MAX_RATIO, `${more} ms, ${less} ms`);
  });
}
