import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { entryNameOf } from '../../src/model/archive-layout.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { workspace } from '../fixtures/cli-workspace.js';
import { example, FAMILIAR, PLATFORMS } from '../fixtures/example.js';
import { chunksOf, load } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import { onEachStore } from '../fixtures/stores.js';

onEachStore('demands that platforms, or everything, are whole', async (open) => {
  const built = example();
  const store = await open();
  await load(store, await layoutArchive(built.images, built.blobs), { platforms: ['linux/amd64'] });
  const unmet = async (demands: object): Promise<readonly string[]> =>
    (await verifyImages(store, [], { hostPlatform: HOST, ...demands })).unmet.map(
      ({ image, platform, state }) => `${image} ${platform} ${state}`,
    );
  assert.deepEqual(await unmet({}), []);
  assert.deepEqual(await unmet({ platforms: ['linux/amd64'] }), []);
  assert.deepEqual(await unmet({ platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'] }), [
    `${FAMILIAR} linux/arm64 missing`,
    `${FAMILIAR} linux/s390x absent`,
  ]);
  const rest = [`${FAMILIAR} linux/arm64 missing`, `${FAMILIAR} linux/arm/v7 missing`];
  assert.deepEqual(await unmet({ complete: true }), rest);
  assert.deepEqual(await unmet({ complete: true, platforms: ['linux/arm64'] }), rest);
  await load(store, await layoutArchive(built.images, built.blobs));
  assert.deepEqual(await unmet({ complete: true, platforms: PLATFORMS }), []);
});

test('demands the same of an archive', async () => {
  const built = example();
  const without = new Set([built.of('linux/arm64').digest]);
  const bytes = await layoutArchive(built.images, built.blobs, { without });
  const { unmet } = await verifyArchive(chunksOf(bytes), { complete: true, platforms: ['linux/s390x'] });
  assert.deepEqual(
    unmet.map(({ platform, state }) => [platform, state]),
    [
      ['linux/arm64', 'missing'],
      ['linux/s390x', 'absent'],
    ],
  );
});

test('stays red until what was damaged is loaded again, also after a prune', async (t) => {
  const { run, store, archive, built } = await workspace(t, { loaded: true });
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  assert.ok(layer);
  const file = path.join(store, entryNameOf(layer.digest));
  await chmod(file, 0o600);
  await writeFile(file, Buffer.alloc(layer.size));
  assert.equal((await run(['verify'])).status, 5);
  for (const prune of [[], ['prune', '--grace', '0'], ['prune', '--grace', '0']]) {
    if (prune.length > 0) assert.equal((await run(prune)).status, 0);
    const again = await run(['verify']);
    assert.equal(again.status, 5);
    assert.match(again.stdout, new RegExp(`missing: blob ${layer.digest} .*ERR_BLOB_MISSING`));
  }
  assert.equal((await run(['verify', FAMILIAR, '--complete', '--json'])).status, 5);
  assert.equal((await run(['load', '-i', archive])).status, 0);
  assert.deepEqual(
    [(await run(['verify', '--complete'])).status, (await run(['prune', '--grace', '0'])).status],
    [0, 0],
  );
  assert.equal((await run(['rm', '--platform', 'linux/arm64', FAMILIAR])).status, 0);
  const incomplete = await run(['verify', '--complete']);
  assert.deepEqual(
    [incomplete.status, /^not whole: example\/app:1 linux\/arm64, sha256:/m.test(incomplete.stdout)],
    [4, true],
  );
  assert.equal((await run(['verify', '--platform', 'linux/amd64'])).status, 0);
});
