import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import { writeArchive } from '../../src/export/write-archive.js';
import { loadImages } from '../../src/load/load-images.js';
import { LadingError } from '../../src/model/errors.js';
import type { Digest } from '../../src/model/digest.js';
import type { ProgressEvent } from '../../src/model/progress-event.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, FAMILIAR, NAME, PLATFORMS } from '../fixtures/example.js';
import { chunksOf } from '../fixtures/loading.js';
import { pipeFromTest, pipeToTest } from '../fixtures/named-pipe.js';
import { idsIn, toldBy } from '../fixtures/progress-events.js';
import { bytesOf, HOST } from '../fixtures/saved-archive.js';
import { onEachStore, stateOf, storeOf, temporaryFolder } from '../fixtures/stores.js';

const built = example({ layers: 2, layerBytes: 4_000_000, compression: 'none' });
const small = example();
const archive = await layoutArchive(built.images, built.blobs);
const allBlobs = [...built.blobs.keys()].toSorted();

onEachStore('tells a save from its plan', async (open) => {
  const store = await storeOf(open, built);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  const events: ProgressEvent[] = [];
  const bytes = await bytesOf(exportImages(store, plan, { onProgress: (event) => events.push(event) }));
  assert.ok(bytes.equals(await bytesOf(exportImages(store, plan))));
  const told = toldBy(events);
  assert.deepEqual(
    [told.start.op, told.start.total, told.start.images],
    ['save', plan.size, [{ name: FAMILIAR, digest: built.root.digest, platforms: [...PLATFORMS] }]],
  );
  assert.deepEqual(idsIn(told, 'done'), allBlobs);
  assert.deepEqual([told.bytes.at(-1)?.current, told.bytes.at(-1)?.total], [plan.size, plan.size]);
  const layers = told.blobs.filter(({ kind }) => kind === 'layer');
  assert.deepEqual(
    [...new Set(layers.map(({ image, platform }) => `${image} ${platform}`))],
    PLATFORMS.map((platform) => `${FAMILIAR} ${platform}`),
  );
  // Only what has 1 MiB or more starts, and it starts before it is over.
  assert.deepEqual([...new Set(idsIn(told, 'started'))], [...new Set(layers.map(({ id }) => id))].toSorted());
  assert.ok(told.end.ok);
  assert.deepEqual(told.end.report, {
    size: plan.size,
    images: plan.images,
    leftOut: [],
    blobs: plan.blobs,
    warnings: [],
    incomplete: false,
  });
});

for (const native of [true, false]) {
  onEachStore(`tells a save into a pipe, native: ${native}`, async (open, t) => {
    const store = await storeOf(open, built);
    const plan = await planExport(store, [NAME], { hostPlatform: HOST });
    const { fd, reader, end } = await pipeToTest(t);
    const events: ProgressEvent[] = [];
    const work = writeArchive(store, plan, { fd, native, onProgress: (event) => events.push(event) }).finally(end);
    await bytesOf(reader);
    await work;
    const told = toldBy(events);
    assert.deepEqual([told.start.total, told.bytes.at(-1)?.current], [plan.size, plan.size]);
    assert.deepEqual(idsIn(told, 'done'), allBlobs);
  });

  onEachStore(`tells a load from a pipe, native: ${native}`, async (open, t) => {
    const store = await open();
    const { fd, writer, end } = await pipeFromTest(t);
    const events: ProgressEvent[] = [];
    const loading = loadImages(store, { fd, native }, { onProgress: (event) => events.push(event) }).finally(end);
    await pipeline(Readable.from(chunksOf(archive, 1_000_000)), writer);
    const report = await loading;
    const told = toldBy(events);
    assert.deepEqual(told.start.images, [{ name: FAMILIAR, digest: built.root.digest, platforms: [] }]);
    assert.deepEqual(idsIn(told, 'done'), allBlobs);
    assert.deepEqual(told.end, { type: 'end', ok: true, report });
    const { current, total } = told.bytes.at(-1) ?? assert.fail();
    assert.deepEqual([current, total], [report.blobs.bytesStored, report.blobs.bytesStored]);
  });
}

const isUnderWay = (event: ProgressEvent): boolean =>
  event.type === 'progress' && event.active.some(({ current }) => current > 1_000_000);

test('shows the bytes of a body while it comes', async (t) => {
  const { fd, writer, end } = await pipeFromTest(t);
  const events: ProgressEvent[] = [];
  const loading = loadImages(
    await storeOf(async () => new MemoryStore(), small),
    { fd },
    {
      onProgress: (event) => {
        events.push(event);
        // Only now the rest comes.
        if (isUnderWay(event)) writer.end(archive.subarray(-archive.length + half));
      },
    },
  ).finally(end);
  // In the middle of a layer.
  const half = 2_500_000;
  writer.write(archive.subarray(0, half));
  await loading;
  assert.ok(events.some(isUnderWay));
  assert.equal(idsIn(toldBy(events), 'done').length, allBlobs.length);
});

const size = (ids: readonly string[]) =>
  ids.reduce((bytes, id) => bytes + (built.blobs.get(id as Digest)?.length ?? assert.fail(id)), 0);

onEachStore('tells what a load passes over', async (open, t) => {
  const store = await open();
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  await writeFile(file, archive);
  const toldOf = async (options: object) => {
    const events: ProgressEvent[] = [];
    await loadImages(store, file, { ...options, onProgress: (event) => events.push(event) });
    return toldBy(events);
  };
  const first = await toldOf({ platforms: ['linux/arm64'] });
  assert.deepEqual(first.start.images[0]?.platforms, ['linux/arm64']);
  assert.equal(first.bytes.at(-1)?.current, first.bytes.at(-1)?.total);
  const [stored, skipped] = [idsIn(first, 'done'), idsIn(first, 'skipped')];
  assert.ok(skipped.length > 0);
  assert.deepEqual([...stored, ...skipped].toSorted(), allBlobs);
  const second = await toldOf({});
  assert.deepEqual([idsIn(second, 'present'), idsIn(second, 'done')], [stored, skipped]);
  // What was here before is not waited for.
  assert.equal(second.bytes.at(-1)?.total, size(skipped));
});

test('tells a load whose list comes last, and one of a docker-archive', async () => {
  const last = await layoutArchive(built.images, built.blobs, { order: 'blobs-first' });
  const docker = await dockerArchive([dockerImageOf(built.blobs, built.of('linux/amd64'), ['a/b:1'])]);
  for (const bytes of [last, docker]) {
    const events: ProgressEvent[] = [];
    await loadImages(new MemoryStore(), chunksOf(bytes), { onProgress: (event) => events.push(event) });
    const told = toldBy(events);
    assert.deepEqual(told.start.images, []);
    assert.ok(told.blobs.length > 2 && told.end.ok);
  }
});

onEachStore('tells a verification of a store and of an archive', async (open, t) => {
  const store = await storeOf(open, built);
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  await writeFile(file, archive);
  for (const names of [[], [NAME]]) {
    const events: ProgressEvent[] = [];
    const report = await verifyImages(store, names, { onProgress: (event) => events.push(event) });
    const told = toldBy(events);
    assert.deepEqual([told.start.op, told.start.total], ['verify', report.blobs.bytes]);
    assert.deepEqual(idsIn(told, 'done'), allBlobs);
    assert.equal(told.bytes.at(-1)?.current, report.blobs.bytes);
  }
  for (const source of [file, chunksOf(archive)]) {
    const events: ProgressEvent[] = [];
    await verifyArchive(source, { onProgress: (event) => events.push(event) });
    const told = toldBy(events);
    assert.deepEqual([told.start.op, idsIn(told, 'done')], ['verify', allBlobs]);
  }
});

const THROWN = [null, undefined, 'text', new Error('x')];

onEachStore('a callback that throws, or rejects, ends every operation with that error', async (open) => {
  const store = await storeOf(open, built);
  const operations = [
    async (onProgress: () => void) => await bytesOf(exportImages(store, [NAME], { hostPlatform: HOST, onProgress })),
    async (onProgress: () => void) => await verifyImages(store, [], { onProgress }),
    async (onProgress: () => void) => await verifyArchive(chunksOf(archive), { onProgress }),
    async (onProgress: () => void) => await loadImages(new MemoryStore(), chunksOf(archive), { onProgress }),
  ];
  for (const run of operations) {
    for (const thrown of THROWN) {
      const throwing = (): void => {
        throw thrown;
      };
      const rejecting = async (): Promise<void> => await Promise.reject(thrown);
      for (const onProgress of [throwing, rejecting as () => void]) {
        await assert.rejects(run(onProgress), (error) => {
          assert.ok(error instanceof LadingError, String(error));
          assert.deepEqual([error.code, error.cause], ['ERR_OPTION_INVALID', thrown]);
          return true;
        });
      }
    }
  }
});

test('tells the error of a failure, and of an abort, as the end', async () => {
  const damaged = Buffer.from(archive);
  damaged[damaged.length - 600_000]! ^= 1;
  const controller = new AbortController();
  const runs: readonly [code: string, run: (onProgress: (event: ProgressEvent) => void) => Promise<unknown>][] = [
    [
      'ERR_DIGEST_MISMATCH',
      async (onProgress) => await loadImages(new MemoryStore(), chunksOf(damaged), { onProgress }),
    ],
    [
      'ERR_ARCHIVE_FORMAT',
      async (onProgress) => await loadImages(new MemoryStore(), chunksOf(Buffer.alloc(0)), { onProgress }),
    ],
    [
      'ERR_IMAGE_UNKNOWN',
      async (onProgress) => await bytesOf(exportImages(new MemoryStore(), ['a:1'], { hostPlatform: HOST, onProgress })),
    ],
    [
      'ERR_ABORTED',
      async (onProgress) =>
        await loadImages(new MemoryStore(), chunksOf(archive), {
          signal: controller.signal,
          onProgress: (event) => {
            onProgress(event);
            controller.abort();
          },
        }),
    ],
  ];
  for (const [code, run] of runs) {
    const events: ProgressEvent[] = [];
    await assert.rejects(
      run((event) => events.push(event)),
      { code },
    );
    const { end } = toldBy(events);
    assert.equal(end.ok ? '' : end.error.code, code);
  }
});

test('tells the end of a save whose reader has gone', async () => {
  const store = await storeOf(async () => new MemoryStore(), built);
  const events: ProgressEvent[] = [];
  const failing = new Writable({ write: (_chunk, _encoding, callback) => callback(new Error('gone')) });
  const saving = exportImages(store, [NAME], { hostPlatform: HOST, onProgress: (event) => events.push(event) });
  await assert.rejects(pipeline(saving, failing), /gone/);
  await new Promise(setImmediate);
  assert.equal(toldBy(events).end.ok, false);
});

test('leaves no timer and no listener behind', async () => {
  const store = await storeOf(async () => new MemoryStore(), small);
  const { signal } = new AbortController();
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  await bytesOf(exportImages(store, [NAME], { hostPlatform: HOST, signal, onProgress: () => {} }));
  await loadImages(new MemoryStore(), chunksOf(archive), { signal, onProgress: () => {} });
  assert.equal(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length, before);
  assert.deepEqual(await stateOf(new MemoryStore()), { images: [], blobs: [] });
});
