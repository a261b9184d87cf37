import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { OciLayoutStore } from '../../../src/stores/layout/oci-layout-store.js';
import type { OpenedStore } from '../../suites/stored.js';

/** Runs a function with a folder of its own, and removes the folder afterwards. */
export async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lading-store-'));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A new store in a folder of its own. Its cleanup fails the test if a private file is left over. */
export async function openLayoutStore(): Promise<OpenedStore> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lading-store-'));
  const store = await OciLayoutStore.open(folder);
  return {
    store,
    cleanup: async () => {
      const left = await privateFiles(folder);
      await rm(folder, { recursive: true, force: true });
      assert.deepEqual(left, [], 'private files are left over');
    },
  };
}

/** The names in the ingest, lease and trash folders of a store. */
export async function privateFiles(folder: string): Promise<readonly string[]> {
  const names = ['ingest', 'leases', 'trash'].map(async (name) =>
    (await readdir(path.join(folder, '.lading', name))).map((file) => `${name}/${file}`),
  );
  return (await Promise.all(names)).flat();
}
