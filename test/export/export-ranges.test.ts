import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as property, asyncProperty, nat } from 'fast-check';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import type { ProgressEvent } from '../../src/model/progress-event.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { example, NAME } from '../fixtures/example.js';
import { toldBy } from '../fixtures/progress-events.js';
import { bytesOf, HOST } from '../fixtures/saved-archive.js';
import { fill, leasesOf, onEachStore, storeOf } from '../fixtures/stores.js';

const built = example({ layers: 2, layerBytes: 300_000, compression: 'none' });

onEachStore('gives exactly the bytes of a part', async (open) => {
  const store = await storeOf(open, built);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  const whole = await bytesOf(exportImages(store, plan));
  const part = async (start: number, end: number): Promise<void> => {
    const bytes = await bytesOf(exportImages(store, plan, { start, end }));
    assert.ok(bytes.equals(whole.subarray(start, end)), `${start} to ${end}`);
  };
  for (const { offset, size } of plan.entries.slice(0, 12)) {
    await part(offset, Math.min(plan.size, offset + 512 + size));
    await part(Math.max(0, offset - 1), offset + 1);
  }
  for (const start of [plan.size, plan.size - 1, plan.size - 1024, plan.size - 1025, 0]) await part(start, plan.size);
  await property(
    asyncProperty(nat(plan.size), nat(plan.size), async (a, b) => await part(Math.min(a, b), Math.max(a, b))),
    { numRuns: 40 },
  );
  const rest = await bytesOf(exportImages(store, plan, { start: 100_001 }));
  assert.ok(rest.equals(whole.subarray(100_001)));
  assert.deepEqual(await leasesOf(store), []);
});

onEachStore('refuses a part that is not in the archive', async (open) => {
  const store = await storeOf(open, built);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  for (const range of [{ start: 2, end: 1 }, { end: plan.size + 1 }, { start: plan.size + 1 }, { start: -1 }])
    await assert.rejects(bytesOf(exportImages(store, plan, range)), { code: 'ERR_OPTION_INVALID' });
});

test('a damaged blob at an edge is found before the last byte of the part comes', async () => {
  const layer = built.blobs.links(built.of('linux/amd64').digest).layers?.[0] ?? assert.fail();
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: built.root }], built.blobs);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  const entry = plan.entries.find(({ name }) => name.endsWith(layer.digest.slice(7))) ?? assert.fail();
  // The damage stands behind the part, and then before it.
  const parts = [
    [0, entry.offset + 1000],
    [entry.offset + 200_000, entry.offset + 250_000],
  ] as const;
  const damaging = {
    resolve: store.resolve.bind(store),
    referrersOf: store.referrersOf.bind(store),
    companionsOf: store.companionsOf.bind(store),
    stat: store.stat.bind(store),
    open: store.open.bind(store),
    reader: async () => {
      const reader = await store.reader();
      return {
        ...reader,
        async *open(digest: never, options: never) {
          let at = 0;
          for await (const chunk of reader.open(digest, options)) {
            const copy = Buffer.from(chunk);
            if (digest === layer.digest && at <= 150_000 && at + copy.length > 150_000) copy[150_000 - at]! ^= 1;
            at += copy.length;
            yield copy;
          }
        },
      };
    },
  };
  for (const [start, end] of parts) {
    let bytes = 0;
    const reading = (async () => {
      for await (const chunk of exportImages(damaging, plan, { start, end })) bytes += (chunk as Buffer).length;
    })();
    await assert.rejects(reading, { code: 'ERR_DIGEST_MISMATCH' });
    assert.ok(bytes < end - start, `${bytes} of ${end - start}`);
  }
});

onEachStore('tells the progress of a part from where it begins', async (open) => {
  const store = await storeOf(open, built);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  const events: ProgressEvent[] = [];
  const start = Math.floor(plan.size / 2);
  await bytesOf(exportImages(store, plan, { start, onProgress: (event) => events.push(event) }));
  const told = toldBy(events);
  assert.deepEqual([told.start.total, told.start.resumedAt, told.bytes.at(-1)?.current], [plan.size, start, plan.size]);
});

test('ends when its reader goes away, and on an abort', async () => {
  const store = await storeOf(async () => new MemoryStore(), built);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  for await (const _ of exportImages(store, plan, { start: 5 })) break;
  const controller = new AbortController();
  const stream = exportImages(store, plan, { start: 5, signal: controller.signal });
  controller.abort();
  await assert.rejects(bytesOf(stream), { code: 'ERR_ABORTED' });
});
