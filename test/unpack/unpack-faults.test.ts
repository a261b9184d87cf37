import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { removeImages } from '../../src/edit/remove-images.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { withReads } from '../../src/stores/with-reads.js';
import { flattenImage } from '../../src/unpack/flatten-image.js';
import { unpackImage } from '../../src/unpack/unpack-image.js';
import { seededRandom } from '../fixtures/seeded.js';
import { layerOf } from '../fixtures/layer-sets.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { allOf, entriesOf, IMAGE, storeWith } from '../fixtures/unpacking.js';

const OPTIONS = { platform: 'linux/amd64' } as const;
const LAYER = `a/ a/ro/{0555} a/ro/x=1 y=${'z'.repeat(2000)} l→a`;

/** A prune that spares nothing for its age. */
const AT_ONCE = () => ({ now: Date.now() + 1000, graceMs: 0, resumeMs: 0 });

/** What may become of a layer between the passes. */
const CHANGES: Readonly<Record<string, (layer: Buffer) => Buffer>> = {
  flipped: (layer) => Buffer.from(layer.toString('latin1').replace('zz', 'zy'), 'latin1'),
  cut: (layer) => layer.subarray(0, 2048),
  'cut to nothing': () => Buffer.alloc(0),
  exchanged: () => layerOf('other=1'),
  'exchanged for one with another type of the same name': () => layerOf(LAYER.replace(/y=z+/, 'y/')),
  longer: (layer) => Buffer.concat([layer, Buffer.alloc(512, 1)]),
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`a layer that is ${what} between the passes is ERR_DIFF_ID_MISMATCH, and leaves nothing`, async (t) => {
    const folder = await temporaryFolder(t);
    for (const make of ['directory', 'tar'] as const) {
      let reads = 0;
      const store = withReads(await storeWith([LAYER], { compression: 'none' }), async function* (chunks) {
        const pieces: Uint8Array[] = [];
        for await (const chunk of chunks) pieces.push(chunk);
        const all = Buffer.concat(pieces);
        const isLayer = all.includes('ustar');
        reads += isLayer ? 1 : 0;
        yield isLayer && reads > 1 ? change(all) : all;
      });
      const work =
        make === 'tar'
          ? allOf(flattenImage(store, IMAGE, OPTIONS))
          : unpackImage(store, IMAGE, path.join(folder, 'rootfs'), OPTIONS);
      await assert.rejects(work, { code: 'ERR_DIFF_ID_MISMATCH' }, make);
      assert.deepEqual(await readdir(folder), []);
    }
  });
}

test('what another process removes and prunes meanwhile stays until the directory is whole', async (t) => {
  const folder = await temporaryFolder(t);
  const place = path.join(folder, 'store');
  const store = await OciLayoutStore.open(place);
  await storeWith([LAYER, 'b/ b/x=2'], {}, store);
  const other = await OciLayoutStore.open(place);
  for (const make of ['directory', 'tar'] as const) {
    await storeWith([LAYER, 'b/ b/x=2'], {}, store);
    let reads = 0;
    const disturbed = withReads(store, async function* (chunks) {
      for await (const chunk of chunks) {
        // Documents are read before anything is claimed; what is removed then is told as missing.
        if (chunk[0] !== 0x7b) {
          reads += 1;
          if ((await other.list()).length > 0) await removeImages(other, [IMAGE]);
          assert.deepEqual((await other.prune(AT_ONCE())).blobs, []);
        }
        yield chunk;
      }
    });
    if (make === 'directory') {
      await unpackImage(disturbed, IMAGE, path.join(folder, 'rootfs'), OPTIONS);
      assert.deepEqual((await readdir(path.join(folder, 'rootfs'))).toSorted(), ['a', 'b', 'l', 'y']);
    } else {
      const names = entriesOf(await allOf(flattenImage(disturbed, IMAGE, OPTIONS))).map(({ entry }) => entry.name);
      assert.ok(names.includes('b/x') && names.includes('a/ro/x'), names.join(' '));
    }
    assert.ok(reads >= 4, 'both passes were disturbed');
    // The claims have ended with the work.
    assert.ok((await other.prune(AT_ONCE())).blobs.length > 0);
  }
});

test('an abort at any of 100 random moments leaves a whole directory or nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const random = seededRandom('aborts');
  const store = await storeWith([Array.from({ length: 300 }, (_, at) => `d${at}/x=${'y'.repeat(at)}`).join(' ')]);
  let made = 0;
  for (let round = 0; round < 100; round += 1) {
    const controller = new AbortController();
    const target = path.join(folder, `${round}`);
    const work = unpackImage(store, IMAGE, target, { ...OPTIONS, signal: controller.signal }).catch(() => undefined);
    for (let turn = random.int(60); turn > 0; turn -= 1) await setImmediate();
    controller.abort();
    if ((await work) === undefined) continue;
    made += 1;
    assert.equal((await readdir(target)).length, 300);
  }
  assert.equal((await readdir(folder)).length, made);
});

test('a reader of the flat tar that goes away after any 64 KiB ends the claims of the store', async () => {
  const store = await storeWith([Array.from({ length: 40 }, (_, at) => `f${at}=${'y'.repeat(20_000)}`).join(' ')]);
  const whole = (await allOf(flattenImage(store, IMAGE, OPTIONS))).length;
  const count = { opened: 0, ended: 0 };
  const counted = new Proxy(store, {
    get: (object, key) => {
      if (key !== 'reader') return bound(object, key);
      return async () => {
        const reader = await object.reader();
        count.opened += 1;
        return new Proxy(reader, {
          get: (inner, name) => {
            if (name === 'end') count.ended += 1;
            return bound(inner, name);
          },
        });
      };
    },
  });
  for (let limit = 0; limit < whole; limit += 64 * 1024) {
    let bytes = 0;
    for await (const chunk of flattenImage(counted, IMAGE, OPTIONS)) {
      bytes += (chunk as Buffer).length;
      if (bytes >= limit) break;
    }
  }
  assert.ok(count.opened > 10, `${count.opened} readers`);
  // The generator behind a stream that was destroyed ends a little later.
  await until(() => count.ended === count.opened, 'every reader has ended');
});

function bound(object: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(object, key, object);
  return typeof value === 'function' ? (value.bind(object) as unknown) : value;
}
