import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { specialCalls } from '../../src/files/special-calls.js';
import { withReads } from '../../src/stores/with-reads.js';
import { planUnpack } from '../../src/unpack/plan-unpack.js';
import type { UnpackOptions } from '../../src/unpack/unpack-options.js';
import { unpackImage } from '../../src/unpack/unpack-image.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { expectedListing, LAYER_SETS } from '../fixtures/layer-sets.js';
import { endBlocks, rawEntry } from '../fixtures/tar-builder.js';
import { seededBytes } from '../fixtures/seeded.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { IMAGE, storeWith } from '../fixtures/unpacking.js';

const AMD64 = { platform: 'linux/amd64' } as const;
const IS_ROOT = process.geteuid?.() === 0;
const IS_NATIVE = specialCalls() !== undefined;

/** An empty folder, and the path of a target in it. */
async function targetIn(t: TestContext): Promise<{ folder: string; target: string }> {
  const folder = await temporaryFolder(t);
  return { folder, target: path.join(folder, 'rootfs') };
}

async function unpacked(layers: readonly (string | Buffer)[], target: string, options: UnpackOptions = {}) {
  return await unpackImage(await storeWith(layers), IMAGE, target, { ...AMD64, ...options });
}

describe('unpackImage', () => {
  for (const { id, layers, result } of LAYER_SETS) {
    test(`makes what the layers of ${id} mean`, async (t) => {
      if (!IS_ROOT) return t.skip('needs root, who keeps owners');
      const { folder, target } = await targetIn(t);
      if (result === undefined) {
        await assert.rejects(unpacked(layers, target), { code: 'ERR_TAR_ENTRY' });
        return assert.deepEqual(await readdir(folder), []);
      }
      const { skipped } = await unpacked(layers, target);
      if (IS_NATIVE) {
        assert.deepEqual(await listFolder(target), expectedListing(result));
        return assert.deepEqual(skipped, []);
      }
      // Without native calls there are neither devices nor attributes, and the report says so.
      const kept = result.split(' ').filter((token) => !/^[cbp]:/.test(token));
      const plain = kept.map((token) => token.replace(/user\.\w+=\w+,?/g, ''));
      assert.deepEqual(await listFolder(target), expectedListing(plain.join(' ')));
      const left = result.split(' ').length - kept.length;
      assert.equal(skipped.find(({ what }) => what === 'device')?.count ?? 0, left);
      assert.equal(skipped.find(({ what }) => what === 'xattr')?.count ?? 0, id === 'P12' ? 1 : 0);
      assert.deepEqual(await readdir(folder), ['rootfs']);
    });
  }

  test('writes large files and small ones byte by byte, with times before 1970 and set-id bits', async (t) => {
    const { target } = await targetIn(t);
    const large = seededBytes('large', 700_000);
    const layer = Buffer.concat([rawEntry({ name: 'large' }, large), rawEntry({ name: 'small' }, 'text'), endBlocks()]);
    await unpacked([layer], target, { sync: true });
    assert.ok((await readFile(path.join(target, 'large'))).equals(large));
    assert.equal(await readFile(path.join(target, 'small'), 'utf8'), 'text');
  });

  test('takes an empty directory as its target, and nothing else that exists', async (t) => {
    const { folder, target } = await targetIn(t);
    await mkdir(target);
    await unpacked(['x=1'], target);
    assert.deepEqual(await readdir(target), ['x']);
    const [file, link] = [path.join(folder, 'file'), path.join(folder, 'link')];
    await writeFile(file, '');
    await symlink('nowhere', link);
    for (const taken of [target, file, link]) {
      await assert.rejects(unpacked(['x=1'], taken), { code: 'ERR_TARGET_EXISTS' });
    }
    assert.deepEqual((await readdir(folder)).toSorted(), ['file', 'link', 'rootfs']);
  });

  test('writes nothing through a link, whatever the layers plant', async (t) => {
    const { folder, target } = await targetIn(t);
    const canary = path.join(folder, 'canary');
    await mkdir(canary);
    await writeFile(path.join(canary, 'x'), 'untouched');
    const planted = [`l→${canary} m→../canary`, 'l/x=1 m/x=2 l/y=3', 'h⇒l/x', 'l/.wh.x'];
    await unpacked(planted, target);
    assert.deepEqual(await readdir(canary), ['x']);
    assert.equal(await readFile(path.join(canary, 'x'), 'utf8'), 'untouched');
  });

  test('refuses with strict what would be left out, before anything is written', async (t) => {
    const { folder, target } = await targetIn(t);
    // No kernel has so many numbers of devices.
    await assert.rejects(unpacked(['c:null{4096:3} x=1'], target, { strict: true }), {
      code: 'ERR_UNPACK_INCOMPLETE',
      details: { skipped: [{ what: 'device', count: 1, first: 'null' }] },
    });
    assert.deepEqual(await readdir(folder), []);
    await unpacked(['su=1{04755}'], target, { strict: true, setId: false });
  });

  test('gives all files to the caller on request, and counts what that loses', async (t) => {
    const { target } = await targetIn(t);
    const { skipped, ownership } = await unpacked(['a=1{04755,u7} b=2'], target, { owner: 'caller' });
    const { uid, mode } = await lstat(path.join(target, 'a'));
    assert.deepEqual([uid, mode & 0o7777, ownership], [process.geteuid?.(), 0o755, 'caller']);
    assert.deepEqual(skipped, [
      { what: 'owner', count: 1, first: 'a' },
      { what: 'set-id', count: 1, first: 'a' },
    ]);
  });

  test('leaves nothing behind if a layer changes between the passes, or the caller gives up', async (t) => {
    const { folder, target } = await targetIn(t);
    const store = await storeWith([`a/ a/ro/{0555} a/ro/x=1 y=${'z'.repeat(2000)}`], { compression: 'none' });
    let reads = 0;
    const changing = withReads(store, async function* (chunks) {
      for await (const chunk of chunks) {
        const isLayer = chunk.includes('ustar');
        reads += isLayer ? 1 : 0;
        yield isLayer && reads > 1 ? Buffer.from(chunk.toString('latin1').replaceAll('zz', 'zy'), 'latin1') : chunk;
      }
    });
    await assert.rejects(unpackImage(changing, IMAGE, target, AMD64), { code: 'ERR_DIFF_ID_MISMATCH' });
    assert.deepEqual(await readdir(folder), []);
    for (let turns = 0; turns < 30; turns += 1) {
      const controller = new AbortController();
      const files = Array.from({ length: 600 }, (_, at) => `d${at}/x=1`).join(' ');
      const work = unpacked([files], target, { signal: controller.signal });
      for (let turn = 0; turn < turns; turn += 1) await setImmediate();
      controller.abort();
      const result = await work.catch((error: unknown) => error);
      if ('code' in (result as object)) assert.deepEqual(await readdir(folder), []);
      else return;
    }
  });

  test('says that a place cannot be written to', async (t) => {
    const { folder } = await targetIn(t);
    await assert.rejects(unpacked(['x=1'], path.join(folder, 'no', 'parent')), { code: 'ERR_STORAGE_IO' });
    if (IS_ROOT) return;
    await chmod(folder, 0o500);
    await assert.rejects(unpacked(['x=1'], path.join(folder, 'x')), { code: 'ERR_STORAGE_IO' });
  });

  test('planUnpack tells the same as the report, and writes nothing', async (t) => {
    const { folder, target } = await targetIn(t);
    const store = await storeWith(['a/ a/x=12 c:n{1:3}', 'b⇒a/x a/.wh.y l→b']);
    const plan = await planUnpack(store, IMAGE, AMD64);
    assert.deepEqual(await readdir(folder), []);
    const { target: made, ...report } = await unpackImage(store, IMAGE, target, AMD64);
    assert.deepEqual(plan, report);
    assert.deepEqual(made, { kind: 'directory', path: target });
    const { directories, files, hardLinks, symlinks, devices, bytes } = plan.tree;
    assert.deepEqual([directories, files, hardLinks, symlinks, devices, bytes], [2, 1, 1, 1, 1, 2]);
    assert.deepEqual(
      plan.layers.map(({ entries, kept }) => [entries, kept]),
      [
        [3, 3],
        [3, 1],
      ],
    );
  });

  test('refuses an order, which only a tar has', async (t) => {
    const { target } = await targetIn(t);
    await assert.rejects(unpacked(['x=1'], target, { order: 'parents-first' }), { code: 'ERR_OPTION_INVALID' });
  });
});
