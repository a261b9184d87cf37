import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { startLading, statusOf, workspace } from '../fixtures/cli-workspace.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { load, statesOf } from '../fixtures/loading.js';
import { until } from '../fixtures/until.js';

test('saves a whole archive of an image that another process removes and prunes meanwhile', async (t) => {
  const { run, store, state } = await workspace(t, { loaded: true, built: example({ layerBytes: 3_000_000 }) });
  const save = startLading(['save', '--store', store, FAMILIAR]);
  assert.ok(save.stdout);
  await once(save.stdout, 'readable');
  assert.equal((await run(['rm', FAMILIAR])).stdout, `Untagged: ${FAMILIAR}\nFreed: 0 B\n`);
  assert.equal((await run(['prune', '--grace', '0'])).status, 0);
  const chunks: Buffer[] = [];
  for await (const chunk of save.stdout) chunks.push(chunk as Buffer);
  assert.equal(await statusOf(save), 0);
  const [image] = (await load(new MemoryStore(), Buffer.concat(chunks))).images;
  assert.deepEqual(new Set(Object.values(statesOf(image))), new Set(['complete']));
  assert.deepEqual(await readdir(path.join(store, '.lading', 'leases')), []);
  assert.equal((await run(['prune', '--grace', '0'])).status, 0);
  assert.deepEqual(await state(), { images: [], blobs: [] });
});

test('leaves no claim behind when a save is interrupted', async (t) => {
  const { store } = await workspace(t, { loaded: true, built: example({ layerBytes: 3_000_000 }) });
  const leases = path.join(store, '.lading', 'leases');
  const save = startLading(['save', '--store', store, FAMILIAR]);
  assert.ok(save.stdout);
  await once(save.stdout, 'readable');
  await until(async () => (await readdir(leases)).length === 1, 'the save has claimed what it reads');
  save.kill('SIGTERM');
  save.stdout.resume();
  assert.equal(await statusOf(save), 143);
  assert.deepEqual(await readdir(leases), []);
});
