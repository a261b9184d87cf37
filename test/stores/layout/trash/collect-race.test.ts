import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { temporaryFolder } from '../../../fixtures/stores.js';
import { describeBytes, digestsIn, inSession, storeBytes } from '../../../suites/stored.js';

/** Removes every empty folder in the trash as soon as it is there, as a prune removes those of killed processes. */
const SWEEPER = `
  const { readdirSync, rmdirSync } = require('node:fs');
  const { parentPort, workerData } = require('node:worker_threads');
  const { trash, stop } = workerData;
  parentPort.postMessage('ready');
  while (Atomics.load(stop, 0) === 0)
    for (const name of readdirSync(trash)) try { rmdirSync(trash + '/' + name); } catch {}
`;

test('a collection goes on if a prune takes its new folder for that of a killed process', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const trash = path.join(store.directory, '.lading', 'trash');
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const sweeper = new Worker(SWEEPER, { eval: true, workerData: { trash, stop } });
  await new Promise((resolve) => sweeper.once('message', resolve));
  try {
    for (let round = 0; round < 5; round += 1) {
      await inSession(store, async (session) => {
        const { digest } = describeBytes(`blob ${round}`);
        await storeBytes(session, `blob ${round}`);
        assert.deepEqual(await session.discard([digest]), [digest]);
      });
    }
  } finally {
    Atomics.store(stop, 0, 1);
    await new Promise((resolve) => sweeper.once('exit', resolve));
  }
  assert.deepEqual(await digestsIn(store), []);
});
