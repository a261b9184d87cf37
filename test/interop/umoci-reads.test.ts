import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { lading, output, requireTool } from '../fixtures/command.js';
import { BUSYBOX_PLATFORMS, requireBusybox, type BusyboxImage } from './busybox-image.js';
import { unpackArchive } from './unpack-archive.js';
import { loadBusybox, manifestOf, NAME, save, TAG, temporaryFolder } from './workspace.js';

/** The platforms whose programs a machine can run, by Node's name of its architecture. */
const HOST: Readonly<Record<string, string>> = { x64: 'linux/amd64', arm64: 'linux/arm64', s390x: 'linux/s390x' };

for (const platform of Object.keys(BUSYBOX_PLATFORMS)) {
  test(`umoci unpacks an archive of ${platform} alone`, async (t) => {
    if (!requireBusybox(t) || !requireTool(t, 'umoci')) return;
    const image = await loadBusybox(t);
    const layout = await unpackArchive(t, await save(image, '--platform', platform));
    const rootfs = join(image.folder, 'rootfs');
    await output('umoci', ['raw', 'unpack', '--rootless', '--image', `${layout}:${TAG}`, rootfs]);
    const program = await readFile(join(rootfs, 'bin', 'busybox'));
    assert.ok(layerOf(image, platform).includes(program), 'the program is not the one that the layer packs');
    if (HOST[process.arch] !== platform) return;
    assert.equal(await output(join(rootfs, 'bin', 'busybox'), ['echo', 'it runs']), 'it runs\n');
  });
}

test('umoci reads the store directory by the full name', async (t) => {
  if (!requireBusybox(t) || !requireTool(t, 'umoci')) return;
  const image = await loadBusybox(t);
  const store = join(await temporaryFolder(t), 'store');
  const archive = await save(image, '--platform', 'linux/arm64');
  await lading(['load', '--store', store, '-i', archive]);
  const { history } = JSON.parse(await output('umoci', ['stat', '--json', '--image', `${store}:${NAME}`])) as {
    history: { layer: { digest: string } }[];
  };
  const { layers = [] } = image.blobs.links(manifestOf(image, 'linux/arm64').digest);
  assert.deepEqual(
    history.map(({ layer }) => layer.digest),
    layers.map(({ digest }) => digest),
  );
});

function layerOf(image: BusyboxImage, platform: string): Buffer {
  const { layers = [] } = image.blobs.links(manifestOf(image, platform).digest);
  return Buffer.concat(layers.map(({ digest }) => gunzipSync(image.blobs.bytes(digest))));
}
