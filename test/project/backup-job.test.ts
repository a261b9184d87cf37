import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { backUp } from '../../examples/backup-job.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { workspace } from '../fixtures/cli-workspace.js';
import { flipBit } from '../fixtures/damage.js';
import { NAME } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { temporaryFolder } from '../fixtures/stores.js';

const DAY = 24 * 60 * 60 * 1000;
const START = Date.UTC(2026, 0, 1, 3);

test('the backup job keeps a verified archive of each of 7 days and 4 weeks', async (t) => {
  const { store } = await workspace(t, { loaded: true });
  const folder = await temporaryFolder(t);
  const opened = await OciLayoutStore.open(store);
  for (let day = 0; day < 40; day += 1) await backUp(opened, folder, new Date(START + day * DAY));
  const again = await backUp(opened, folder, new Date(START + 39 * DAY + 60_000));
  assert.deepEqual([again.images, again.removed.length], [1, 1]);
  const days = (await readdir(folder)).map((name) => (Date.parse(name.slice(7, 17)) - Date.UTC(2026, 0, 1)) / DAY);
  // Weeks are counted from a Thursday, as 1970 began with one; so did 2026.
  assert.deepEqual(
    days.toSorted((a, b) => a - b),
    [20, 27, 33, 34, 35, 36, 37, 38, 39],
  );
  const restored = await OciLayoutStore.open(path.join(folder, 'restored'));
  await load(restored, await readFile(again.file));
  assert.deepEqual(
    (await restored.list()).map(({ name }) => name),
    [NAME],
  );
});

test('the backup job leaves what was there if a layer is damaged', async (t) => {
  const { store, built } = await workspace(t, { loaded: true });
  const folder = await temporaryFolder(t);
  const opened = await OciLayoutStore.open(store);
  await backUp(opened, folder, new Date(START));
  const before = await readdir(folder);
  const { layers = [] } = built.blobs.links(built.of('linux/amd64').digest);
  await flipBit(path.join(store, 'blobs', 'sha256', layers[0]!.digest.slice(7)));
  await assert.rejects(backUp(opened, folder, new Date(START + DAY)), { code: 'ERR_DIGEST_MISMATCH' });
  assert.deepEqual(await readdir(folder), before);
});
