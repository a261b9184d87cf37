import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { BlobSet } from '../fixtures/blob-set.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand, runLading } from '../fixtures/command.js';
import { assertRefused } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { launchContainerd, requireContainerd } from './containerd.js';
import { temporaryFolder } from './workspace.js';

/* Other tools refuse a thin archive, since it has none of their files, and the Engine server takes it. */

/** The archives of two versions of an image, `1.tar` and `2.tar`, and the thin one between them, `thin.tar`. */
async function thinArchive(t: TestContext) {
  const space = await workspace(t);
  for (const version of [1, 2]) {
    const blobs = new BlobSet();
    const layers = ['os', `app ${version}`];
    const { root } = buildMultiPlatform(blobs, ['linux/amd64'], { layers });
    const image = { root, name: `docker.io/library/shop:${version}`, refName: String(version) };
    await writeFile(space.at(`${version}.tar`), await layoutArchive([image], blobs));
    assert.equal((await space.run(['load', '-i', space.at(`${version}.tar`)])).status, 0);
  }
  const saved = await space.run(['save', 'shop:2', '--base', space.at('1.tar'), '-o', space.at('thin.tar')]);
  assert.equal(saved.status, 0, saved.stderr);
  return space;
}

test('skopeo refuses a thin archive', async (t) => {
  if (!requireTool(t, 'skopeo')) return;
  const { at } = await thinArchive(t);
  for (const form of ['oci-archive', 'docker-archive']) {
    const { status, stderr } = await runCommand('skopeo', ['inspect', `${form}:${at('thin.tar')}`]);
    assert.notEqual(status, 0, form);
    assert.match(stderr, /(?:index|manifest)\.json/);
  }
});

test('containerd refuses a thin archive, and lists no image of it', async (t) => {
  if (!requireContainerd(t)) return;
  const { at } = await thinArchive(t);
  const daemon = await launchContainerd(await temporaryFolder(t));
  t.after(async () => await daemon.stop());
  const ctr = async (...args: readonly string[]) => await runCommand('ctr', ['--address', daemon.address, ...args]);
  for (const more of [[], ['--no-unpack']]) {
    const { status, stderr } = await ctr('images', 'import', '--snapshotter', 'native', ...more, at('thin.tar'));
    assert.notEqual(status, 0);
    assert.match(stderr, /unrecognized/);
  }
  assert.equal((await ctr('images', 'list', '--quiet')).stdout, '');
});

test('the Engine server takes a thin archive where its base is, and refuses it elsewhere', async (t) => {
  const { at } = await thinArchive(t);
  const { request, store } = await startEngine(t);
  const thin = await readFile(at('thin.tar'));
  const load = async (body: Buffer) => await request('POST', '/v1.52/images/load', { body });
  assertRefused(await load(thin), 404, /counts on a layer of \d+ bytes that are not in the store: sha256:/);
  assert.deepEqual(await store.list(), []);
  assert.equal((await load(await readFile(at('1.tar')))).status, 200);
  assert.deepEqual((await load(thin)).lines(), [{ stream: 'Loaded image: shop:2\n' }]);
});

test('a copy of a thin archive needs its base at the destination', async (t) => {
  const { at } = await thinArchive(t);
  const there = async (...args: readonly string[]) => await runLading([...args, '--store', at('there')]);
  const args = ['copy', `oci-archive:${at('thin.tar')}`, 'store:shop:2'];
  const refused = await there(...args);
  assert.deepEqual([refused.status, /\[ERR_BASE_MISSING\]/.test(refused.stderr)], [4, true]);
  assert.equal((await there('load', '-i', at('1.tar'))).status, 0);
  assert.equal((await there(...args)).status, 0);
});
