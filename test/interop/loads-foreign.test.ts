import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { LinkFields } from '../fixtures/blob-set.js';
import { lading, output, requireTool } from '../fixtures/command.js';
import { buildBusyboxImage, BUSYBOX_PLATFORMS, requireBusybox, type BusyboxImage } from './busybox-image.js';
import { requireContainerd, startContainerd } from './containerd.js';
import { skopeoPlatform } from './skopeo.js';
import {
  blobsOf,
  busyboxArchive,
  manifestOf,
  NAME,
  onlyImageOf,
  readBlob,
  sortedClosure,
  statesOf,
  TAG,
  temporaryFolder,
} from './workspace.js';

interface Prepared extends BusyboxImage {
  readonly folder: string;
  /** An archive made by the fixtures, for the other tool to read. */
  readonly source: string;
  /** A store that does not exist yet. */
  readonly store: string;
}

async function prepare(t: TestContext): Promise<Prepared> {
  const image = buildBusyboxImage();
  const folder = await temporaryFolder(t);
  const source = join(folder, 'source.tar');
  await writeFile(source, await busyboxArchive(image));
  return { ...image, folder, source, store: join(folder, 'store') };
}

/** The archive of the source's image that `ctr images export` writes with these options. */
async function exportByContainerd(t: TestContext, source: string, ...options: readonly string[]): Promise<string> {
  const containerd = await startContainerd(t);
  const archive = `${source}.ctr`;
  await containerd.ctr('images', 'import', '--all-platforms', '--no-unpack', source);
  await containerd.ctr('images', 'export', ...options, archive, NAME);
  return archive;
}

function allPlatforms(state: string): Record<string, string> {
  return Object.fromEntries(Object.keys(BUSYBOX_PLATFORMS).map((platform) => [platform, state]));
}

async function assertWhole(store: string, { blobs, root }: BusyboxImage): Promise<void> {
  const listed = await onlyImageOf(store);
  assert.equal(listed.digest, root.digest);
  assert.deepEqual(statesOf(listed), allPlatforms('complete'));
  assert.deepEqual(await blobsOf(store), sortedClosure(blobs, root));
}

test('load takes an oci-archive of all platforms that skopeo wrote', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const { folder, source, store, ...image } = await prepare(t);
  const archive = join(folder, 'skopeo.tar');
  await output('skopeo', ['copy', '--all', `oci-archive:${source}:${TAG}`, `oci-archive:${archive}:${NAME}`]);
  assert.equal(await lading(['load', '--store', store, '-i', archive]), 'Loaded image: example/busybox:1\n');
  await assertWhole(store, image);
});

test('load keeps an oci-archive that skopeo wrote with a bare tag as an unnamed image', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const { folder, source, store, ...image } = await prepare(t);
  const archive = join(folder, 'skopeo.tar');
  await output('skopeo', ['copy', '--all', `oci-archive:${source}:${TAG}`, `oci-archive:${archive}:${TAG}`]);
  assert.equal(await lading(['load', '--store', store, '-i', archive]), `Loaded image ID: ${image.root.digest}\n`);
  await assertWhole(store, image);
});

test('load takes an OCI layout directory that skopeo wrote', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
  const { folder, source, store, ...image } = await prepare(t);
  const layout = join(folder, 'layout');
  await output('skopeo', ['copy', '--all', `oci-archive:${source}:${TAG}`, `oci:${layout}:${NAME}`]);
  assert.equal(await lading(['load', '--store', store, '-i', layout]), 'Loaded image: example/busybox:1\n');
  await assertWhole(store, image);
});

for (const platform of ['linux/amd64', 'linux/arm/v7', 'linux/s390x']) {
  test(`load takes a docker-archive of ${platform} that skopeo wrote`, async (t) => {
    if (!requireBusybox(t) || !requireTool(t, 'skopeo')) return;
    const { folder, source, store, ...image } = await prepare(t);
    const archive = join(folder, 'docker.tar');
    const copy = ['copy', `oci-archive:${source}:${TAG}`, `docker-archive:${archive}:${NAME}`];
    await output('skopeo', [...skopeoPlatform(platform), ...copy]);
    assert.equal(await lading(['load', '--store', store, '-i', archive]), 'Loaded image: example/busybox:1\n');
    const listed = await onlyImageOf(store);
    assert.deepEqual(statesOf(listed), { [platform]: 'complete' });
    const { config, layers } = JSON.parse(String(await readBlob(store, listed.digest))) as Required<LinkFields>;
    assert.equal(config.digest, image.blobs.links(manifestOf(image, platform).digest).config?.digest);
    const { rootfs } = image.blobs.json(config.digest) as { rootfs: { diff_ids: string[] } };
    assert.deepEqual(
      layers.map(({ digest }) => digest),
      rootfs.diff_ids,
    );
  });
}

test('load computes the same digest for a docker-archive as containerd', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'skopeo') || !requireContainerd(t)) return;
  const { folder, source, store } = await prepare(t);
  const archive = join(folder, 'docker.tar');
  const copy = ['copy', `oci-archive:${source}:${TAG}`, `docker-archive:${archive}:${NAME}`];
  await output('skopeo', [...skopeoPlatform('linux/arm64'), ...copy]);
  const containerd = await startContainerd(t);
  await containerd.ctr('images', 'import', '--all-platforms', '--no-unpack', archive);
  await lading(['load', '--store', store, '-i', archive]);
  assert.equal((await onlyImageOf(store)).digest, await containerd.digestOfImage(NAME));
});

test('load takes an archive of all platforms that ctr exported', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const { source, store, ...image } = await prepare(t);
  const archive = await exportByContainerd(t, source, '--all-platforms');
  assert.equal(await lading(['load', '--store', store, '-i', archive]), 'Loaded image: example/busybox:1\n');
  await assertWhole(store, image);
});

test('load takes an archive that ctr exported from a pipe, with gzip', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const { source, store, ...image } = await prepare(t);
  const archive = await exportByContainerd(t, source, '--all-platforms');
  await lading(['load', '--store', store], { input: gzipSync(await readFile(archive), { level: 1 }) });
  await assertWhole(store, image);
});

test('load takes two platforms that ctr exported and reports the others missing', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const { source, store, ...image } = await prepare(t);
  const exported = ['linux/arm64', 'linux/ppc64le'];
  const options = exported.flatMap((platform) => ['--platform', platform]);
  const archive = await exportByContainerd(t, source, ...options);
  await lading(['load', '--store', store, '-i', archive]);
  const listed = await onlyImageOf(store);
  assert.equal(listed.digest, image.root.digest);
  const complete = Object.fromEntries(exported.map((platform) => [platform, 'complete']));
  assert.deepEqual(statesOf(listed), { ...allPlatforms('missing'), ...complete });
});

test('load of one platform from an archive that ctr exported stores no other manifest', async (t) => {
  if (!requireBusybox(t) || !requireContainerd(t)) return;
  const { source, store, ...image } = await prepare(t);
  const archive = await exportByContainerd(t, source, '--all-platforms');
  await lading(['load', '--store', store, '-i', archive, '--platform', 'linux/386']);
  const wanted = [image.root.digest, ...sortedClosure(image.blobs, manifestOf(image, 'linux/386'))];
  assert.deepEqual(await blobsOf(store), wanted.toSorted());
});
