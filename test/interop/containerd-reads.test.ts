import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireBusybox } from './busybox-image.js';
import { requireContainerd, startContainerd } from './containerd.js';
import { unpackArchive } from './unpack-archive.js';
import { loadBusybox, manifestOf, NAME, onlyRootOf, save, sortedClosure } from './workspace.js';

// ctr unpacks each layer that it imports, which checks diff ids too; "native" needs no file system of its own.
const IMPORT = ['images', 'import', '--snapshotter', 'native'];
const PACKED = ['linux/amd64', 'linux/arm/v7', 'linux/s390x'];

test('ctr imports every platform of what save wrote', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const image = await loadBusybox(t);
  const containerd = await startContainerd(t);
  await containerd.ctr(...IMPORT, '--all-platforms', await save(image));
  assert.equal(await containerd.digestOfImage(NAME), image.root.digest);
  await containerd.assertHas(sortedClosure(image.blobs, image.root));
});

for (const platform of PACKED) {
  test(`ctr imports ${platform} of an archive filtered to three platforms`, async (t) => {
    if (!requireBusybox(t) || !requireContainerd(t)) return;
    const image = await loadBusybox(t);
    const containerd = await startContainerd(t);
    const archive = await save(image, '--platform', PACKED.join(','));
    await containerd.ctr(...IMPORT, '--platform', platform, archive);
    assert.equal(await containerd.digestOfImage(NAME), image.root.digest);
    await containerd.assertHas(sortedClosure(image.blobs, manifestOf(image, platform)));
  });
}

test('ctr imports every platform of an archive with a rewritten index', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const image = await loadBusybox(t);
  const containerd = await startContainerd(t);
  const archive = await save(image, '--platform', PACKED.join(','), '--index', 'rewrite');
  await containerd.ctr(...IMPORT, '--all-platforms', archive);
  const { digest } = await onlyRootOf(await unpackArchive(t, archive));
  assert.equal(await containerd.digestOfImage(NAME), digest);
  for (const platform of PACKED) {
    await containerd.assertHas(sortedClosure(image.blobs, manifestOf(image, platform)));
  }
});

test('ctr imports a single platform, its manifest as the root', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const image = await loadBusybox(t);
  const containerd = await startContainerd(t);
  await containerd.ctr(...IMPORT, '--all-platforms', await save(image, '--platform', 'linux/arm64'));
  assert.equal(await containerd.digestOfImage(NAME), manifestOf(image, 'linux/arm64').digest);
  await containerd.assertHas(sortedClosure(image.blobs, manifestOf(image, 'linux/arm64')));
});
