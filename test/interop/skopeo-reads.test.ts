import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import type { LinkFields } from '../fixtures/blob-set.js';
import { output, requireTool } from '../fixtures/command.js';
import { BUSYBOX_PLATFORMS, requireBusybox } from './busybox-image.js';
import { skopeoPlatform } from './skopeo.js';
import { unpackArchive } from './unpack-archive.js';
import { blobsOf, loadBusybox, manifestOf, NAME, onlyRootOf, readBlob, save, sortedClosure, TAG } from './workspace.js';

const PACKED = ['linux/amd64', 'linux/arm/v7', 'linux/s390x'];

test('skopeo copies every platform of an archive that save wrote', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const image = await loadBusybox(t);
  const copy = join(image.folder, 'copy');
  await output('skopeo', [
    'copy',
    '--all',
    '--preserve-digests',
    `oci-archive:${await save(image)}:${TAG}`,
    `oci:${copy}`,
  ]);
  assert.equal((await onlyRootOf(copy)).digest, image.root.digest);
  assert.deepEqual(await blobsOf(copy), sortedClosure(image.blobs, image.root));
});

for (const platform of PACKED) {
  test(`skopeo copies ${platform} of an archive filtered to three platforms`, async (t) => {
    if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
    const image = await loadBusybox(t);
    const archive = await save(image, '--platform', PACKED.join(','));
    const copy = join(image.folder, 'copy');
    const source = `oci-archive:${archive}:${TAG}`;
    assert.equal(digestOf(await output('skopeo', ['inspect', '--raw', source])), image.root.digest);
    await output('skopeo', [...skopeoPlatform(platform), 'copy', '--preserve-digests', source, `oci:${copy}`]);
    assert.equal((await onlyRootOf(copy)).digest, manifestOf(image, platform).digest);
    assert.deepEqual(await blobsOf(copy), sortedClosure(image.blobs, manifestOf(image, platform)));
  });
}

test('skopeo copies every platform of an archive with a rewritten index', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const image = await loadBusybox(t);
  const archive = await save(image, '--platform', PACKED.join(','), '--index', 'rewrite');
  const copy = join(image.folder, 'copy');
  await output('skopeo', ['copy', '--all', '--preserve-digests', `oci-archive:${archive}:${TAG}`, `oci:${copy}`]);
  const { digest } = await onlyRootOf(copy);
  assert.equal(digest, (await onlyRootOf(await unpackArchive(t, archive))).digest);
  const { manifests = [] } = JSON.parse((await readBlob(copy, digest)).toString('utf8')) as LinkFields;
  assert.deepEqual(
    manifests,
    PACKED.map((platform) => manifestOf(image, platform)),
  );
  const closures = PACKED.flatMap((platform) => sortedClosure(image.blobs, manifestOf(image, platform)));
  assert.deepEqual(await blobsOf(copy), [...new Set([digest, ...closures])].toSorted());
});

test('skopeo reads a single platform by the manifest.json of its archive', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const image = await loadBusybox(t);
  const archive = await save(image, '--platform', 'linux/s390x');
  const { config } = image.blobs.links(manifestOf(image, 'linux/s390x').digest);
  const raw = await output('skopeo', ['inspect', '--raw', `docker-archive:${archive}:${NAME}`]);
  assert.equal((JSON.parse(raw) as LinkFields).config?.digest, config?.digest);
});

test('skopeo inspects the store directory by the full name', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const { store, root } = await loadBusybox(t);
  const source = `oci:${store}:${NAME}`;
  assert.equal(digestOf(await output('skopeo', ['inspect', '--raw', source])), root.digest);
  for (const platform of Object.keys(BUSYBOX_PLATFORMS)) {
    const config = await output('skopeo', [...skopeoPlatform(platform), 'inspect', '--config', source]);
    const { config: imageConfig } = JSON.parse(config) as { config: { Labels: Record<string, string> } };
    assert.equal(imageConfig.Labels['org.example.busybox'], platform);
  }
});
