import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import type { Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { withReads } from '../../src/stores/with-reads.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { runCommand } from '../fixtures/command.js';
import { DAMAGES as KINDS, type Damage } from '../fixtures/damage.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { load, loadLayout } from '../fixtures/loading.js';
import { withLongDigest } from '../fixtures/long-digest.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { bytesOf, HOST, readTar, save } from '../fixtures/saved-archive.js';
import { fill, onEachStore, temporaryFolder } from '../fixtures/stores.js';

onEachStore('is exactly as long as its plan says, entry by entry', async (open) => {
  const store = await open();
  const { images, blobs } = example({ attestations: true });
  await loadLayout(store, images, blobs);
  for (const platforms of [[], ['linux/arm64'], ['linux/amd64', 'linux/arm/v7']]) {
    const { plan, archive } = await save(store, [FAMILIAR], { platforms });
    assert.equal(archive.length, plan.size);
    for (const { name, type, offset, size } of plan.entries) {
      const header = archive.subarray(offset, offset + 512);
      assert.equal(header.toString('latin1', 0, name.length), name);
      assert.equal(Number.parseInt(header.toString('latin1', 124, 135), 8), size);
      assert.equal(header.toString('latin1', 156, 157), type === 'directory' ? '5' : '0');
    }
    assert.deepEqual(archive.subarray(-1024), Buffer.alloc(1024));
    assert.equal(plan.blobs.count, plan.entries.filter(({ name }) => /^blobs\/.*[^/]$/.test(name)).length);
  }
});

onEachStore('plans the real size of names over 100 bytes', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
  const root = withLongDigest(blobs, manifest);
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  const { plan, archive, blobs: packed } = await save(store, [FAMILIAR]);
  assert.equal(archive.length, plan.size);
  assert.ok(packed.some((name) => name.startsWith('blobs/sha512/')));
  const second = await open();
  const report = await load(second, archive);
  assert.equal(report.images[0]?.digest, root.digest);
});

onEachStore('writes metadata first, then documents, then layers, with fixed modes', async (open) => {
  const store = await open();
  const { images, blobs, root } = example();
  await loadLayout(store, images, blobs);
  const { archive } = await save(store, [FAMILIAR]);
  const entries = await readTar(archive);
  const names = entries.map(({ name }) => name);
  const start = ['oci-layout', 'index.json', 'manifest.json', 'blobs/', 'blobs/sha256/', blobPath(root.digest)];
  assert.deepEqual(names.slice(0, 6), start);
  const isDocument = entries.slice(5).map(({ body }) => body[0] === '{'.charCodeAt(0));
  assert.deepEqual(
    isDocument,
    isDocument.toSorted((a, b) => Number(b) - Number(a)),
  );
  const modeOf = (name: string): string | undefined => entries.find((entry) => entry.name === name)?.mode.toString(8);
  assert.deepEqual(start.map(modeOf), ['444', '644', '644', '755', '755', '444']);
  assert.equal(new Set(names).size, names.length);
});

onEachStore('writes the same bytes each time, from a plan and from names', async (open) => {
  const store = await open();
  const { images, blobs } = example({ attestations: true });
  await loadLayout(store, images, blobs);
  const { plan, archive } = await save(store, [FAMILIAR]);
  assert.deepEqual(await bytesOf(exportImages(store, plan)), archive);
  assert.deepEqual(await bytesOf(exportImages(store, [NAME], { hostPlatform: HOST })), archive);
  const second = await open();
  await loadLayout(second, images, blobs, { layout: { order: 'blobs-first' } });
  const again = await save(second, [FAMILIAR]);
  assert.deepEqual([again.archive, again.plan.digest], [archive, plan.digest]);
});

onEachStore('keeps the order of the other entries when an image is added', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const records = ['a', 'b', 'c'].map((seed) => {
    const descriptor = buildManifest(blobs, { platform: 'linux/amd64', seed, layers: ['base', `${seed}-1`] });
    return { name: `docker.io/library/${seed}:1`, descriptor };
  });
  await fill(store, records, blobs);
  const orderOf = async (names: readonly string[]) => (await save(store, names)).plan.entries.map(({ name }) => name);
  const two = await orderOf(['a:1', 'c:1']);
  for (const names of [
    ['a:1', 'c:1', 'b:1'],
    ['a:1', 'b:1', 'c:1'],
    ['b:1', 'a:1', 'c:1'],
  ]) {
    assert.deepEqual(
      (await orderOf(names)).filter((name) => two.includes(name)),
      two,
    );
  }
});

test('is an archive that GNU tar reads', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const { images, blobs } = example();
  await loadLayout(store, images, blobs);
  const { archive, plan } = await save(store, [FAMILIAR]);
  const { status, stdout, stderr } = await runCommand('tar', ['-tf', '-'], { input: archive });
  assert.deepEqual([status, stderr], [0, '']);
  assert.deepEqual(
    stdout.trimEnd().split('\n'),
    plan.entries.map(({ name }) => name),
  );
});

const DAMAGES: Readonly<Record<string, Damage>> = { ...KINDS, 'is deleted': async (file) => await rm(file) };

for (const [what, damage] of Object.entries(DAMAGES)) {
  for (const part of ['layer', 'config', 'manifest', 'index'] as const) {
    test(`fails when a ${part} ${what} after the plan was made`, async (t) => {
      const { store, plan, fileOf } = await planned(t, part);
      await damage(fileOf);
      await assert.rejects(bytesOf(exportImages(store, plan)), ({ name, category }: Record<string, string>) => {
        assert.equal(name, 'LadingError');
        return category === 'integrity' || category === 'not-found' || category === 'storage';
      });
    });
  }

  test(`breaks off when a layer ${what} after the first byte was read`, async (t) => {
    const { store, plan, fileOf } = await planned(t, 'layer', 1_500_000);
    const read = async (): Promise<void> => {
      let isFirst = true;
      for await (const _ of exportImages(store, plan)) {
        if (isFirst) await damage(fileOf);
        isFirst = false;
      }
    };
    await assert.rejects(read, { name: 'LadingError' });
  });

  test(`is refused before the first byte when a layer ${what} before`, async (t) => {
    const { store, fileOf } = await planned(t, 'layer');
    await damage(fileOf);
    const attempt = async () => await planExport(store, [FAMILIAR], { platforms: ['linux/amd64'], hostPlatform: HOST });
    if (what === 'has a flipped bit') await attempt();
    else
      await assert.rejects(attempt, { code: what === 'is deleted' ? 'ERR_PLATFORM_UNAVAILABLE' : 'ERR_SIZE_MISMATCH' });
  });
}

async function planned(t: TestContext, part: 'layer' | 'config' | 'manifest' | 'index', layerBytes = 0) {
  const directory = path.join(await temporaryFolder(t), 'store');
  const store = await OciLayoutStore.open(directory);
  const { images, blobs, root, of } = example({ layerBytes });
  await loadLayout(store, images, blobs);
  const manifest = of('linux/amd64');
  const { config, layers = [] } = blobs.links(manifest.digest);
  const digests = {
    layer: layers.at(-1)?.digest,
    config: config?.digest,
    manifest: manifest.digest,
    index: root.digest,
  };
  const digest: Digest = digests[part] ?? root.digest;
  const plan = await planExport(store, [FAMILIAR], { hostPlatform: HOST });
  return { store, plan, fileOf: path.join(directory, blobPath(digest)) };
}

onEachStore('ends with the error of the plan when it is called with names', async (open) => {
  const store = await open();
  await assert.rejects(bytesOf(exportImages(store, ['nothing:1'])), { code: 'ERR_IMAGE_UNKNOWN' });
});

onEachStore('may be aborted before it has a listener, and later readers get the error', async (open) => {
  const store = await open();
  const built = example();
  await loadLayout(store, built.images, built.blobs);
  const controller = new AbortController();
  const archive = exportImages(store, [FAMILIAR], { signal: controller.signal });
  controller.abort();
  await delay(20);
  await assert.rejects(bytesOf(archive), { code: 'ERR_ABORTED' });
});

onEachStore('ends with ERR_ABORTED when it is aborted, before or amid', async (open) => {
  const store = await open();
  const { images, blobs } = example({ layerBytes: 400_000 });
  await loadLayout(store, images, blobs);
  const before = exportImages(store, [FAMILIAR], { signal: AbortSignal.abort() });
  await assert.rejects(bytesOf(before), { code: 'ERR_ABORTED', name: 'AbortError' });
  const controller = new AbortController();
  const archive = exportImages(store, [FAMILIAR], { signal: controller.signal });
  const read = async () => {
    for await (const _ of archive) controller.abort();
  };
  await assert.rejects(read, { code: 'ERR_ABORTED' });
});

onEachStore('reads no further than its reader does', async (openStore) => {
  const store = await openStore();
  const { images, blobs } = example({ layerBytes: 1_500_000 });
  await loadLayout(store, images, blobs);
  let opened = 0;
  const counted = withReads(store, (chunks) => {
    opened += 1;
    return chunks;
  });
  const plan = await planExport(counted, [FAMILIAR], { hostPlatform: HOST });
  opened = 0;
  const archive = exportImages(counted, plan);
  const reader = archive[Symbol.asyncIterator]();
  await reader.next();
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
  assert.ok(opened < plan.blobs.count, `${opened} of ${plan.blobs.count} blobs opened`);
  await reader.return?.();
});
