import { existsSync } from 'node:fs';
import { removeImages } from '../../../src/edit/remove-images.js';
import { publishRecords } from '../../../src/model/image-list.js';
import { OciLayoutStore } from '../../../src/stores/layout/oci-layout-store.js';
import { verifyImages } from '../../../src/verify/verify-images.js';
import { BlobSet } from '../../fixtures/blob-set.js';
import { buildManifest } from '../../fixtures/manifest-builder.js';
import { seededBytes } from '../../fixtures/seeded.js';
import { storeBytes, storeSet } from '../../suites/stored.js';

/*
 * Another process that uses a store: `node store-child.js DIRECTORY COMMAND ARGUMENT`. The tests start it to kill it,
 * to run it under another umask, or to run several at once.
 */

/** Makes a store and an image under the umask of the argument, and leaves a session and an ingest open. */
async function modes(directory: string, umask: string): Promise<void> {
  process.umask(Number.parseInt(umask, 8));
  const store = await OciLayoutStore.open(directory);
  await loadImage(store, 'modes');
  const session = await store.session();
  await session.begin(undefined);
}

/** Stores one whole blob and half of another, prints `ready`, and waits to be killed. */
async function hang(directory: string, seed: string): Promise<void> {
  const store = await OciLayoutStore.open(directory);
  const session = await store.session();
  await storeBytes(session, `whole ${seed}`);
  const ingest = await session.begin(undefined);
  for (let at = 0; at < 3; at += 1) await ingest.write(seededBytes(`${seed}-${at}`, 1024 * 1024));
  process.stdout.write('ready\n');
  setInterval(() => {}, 1000);
}

/** Loads twelve images that share a layer, and publishes each alone. */
async function load(directory: string, seed: string): Promise<void> {
  const store = await OciLayoutStore.open(directory);
  for (let at = 0; at < 12; at += 1) await loadImage(store, `${seed}-${at}`);
}

/** Loads and removes images with the same blobs many times, while other processes remove those blobs. */
async function reload(directory: string, seed: string): Promise<void> {
  const store = await OciLayoutStore.open(directory);
  for (let at = 0; at < 15; at += 1) {
    await loadImage(store, `${seed}-${at}`, 'same');
    const report = await verifyImages(store, [`example/app:${seed}-${at}`]);
    const states = report.images.flatMap(({ platforms }) => platforms.map(({ state }) => state));
    if (states.join() !== 'complete' || report.problems.length > 0) throw new Error(`lost: ${JSON.stringify(report)}`);
    await removeImages(store, [`example/app:${seed}-${at}`]);
  }
}

async function loadImage(store: OciLayoutStore, seed: string, own = `${seed}-own`): Promise<void> {
  const blobs = new BlobSet();
  const descriptor = buildManifest(blobs, { platform: 'linux/amd64', seed: own, layers: ['shared', own] });
  await storeSet(store, blobs, [{ name: `docker.io/example/app:${seed}`, descriptor }]);
}

/** Prunes all unneeded blobs, of any age. */
async function prune(directory: string, _argument: string): Promise<void> {
  await (await OciLayoutStore.open(directory)).prune({ now: Date.now(), graceMs: 0, resumeMs: 0, dangling: true });
}

/** Prunes again and again until the folder of the argument exists. */
async function collectUntil(directory: string, end: string): Promise<void> {
  for (let rounds = 0; rounds < 3 || !existsSync(end); rounds += 1) await prune(directory, '');
}

/** Opens the store and publishes no change. */
async function open(directory: string, _argument: string): Promise<void> {
  const session = await (await OciLayoutStore.open(directory)).session();
  await session.publish((records) => publishRecords(records, []));
  await session.end();
}

const COMMANDS: Readonly<Record<string, (directory: string, argument: string) => Promise<void>>> = {
  modes,
  hang,
  load,
  open,
  prune,
  collectUntil,
  reload,
};

const [, , directory = '', command = '', argument = ''] = process.argv;
COMMANDS[command]?.(directory, argument).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
