import { publishRecords } from '../../src/model/image-list.js';
import { OciLayoutStore } from '../../src/stores/oci-layout-store.js';
import { seededBytes } from '../fixtures/seeded.js';
import { BlobSet, buildManifest } from '../fixtures/image-builder.js';
import { storeBytes, storeSet } from '../suites/stored.js';

/*
 * Another process that uses a store: `node store-child.js DIRECTORY COMMAND ARGUMENT`. The tests start it to kill it, to give
 * it another umask, or to have two of it at once.
 */

/** Under the umask of the argument: makes a store, an image, and leaves a session and an ingest open. */
async function modes(directory: string, umask: string): Promise<void> {
  process.umask(Number.parseInt(umask, 8));
  const store = await OciLayoutStore.open(directory);
  await loadImage(store, 'modes');
  const session = await store.session();
  await session.begin();
}

/** Stores one blob whole and half of another, says so, and waits to be killed. */
async function hang(directory: string, seed: string): Promise<void> {
  const store = await OciLayoutStore.open(directory);
  const session = await store.session();
  await storeBytes(session, `whole ${seed}`);
  const ingest = await session.begin();
  for (let at = 0; at < 3; at += 1) await ingest.write(seededBytes(`${seed}-${at}`, 1024 * 1024));
  process.stdout.write('ready\n');
  setInterval(() => {}, 1000);
}

/** Loads twelve images that share a layer, each published alone. */
async function load(directory: string, seed: string): Promise<void> {
  const store = await OciLayoutStore.open(directory);
  for (let at = 0; at < 12; at += 1) await loadImage(store, `${seed}-${at}`);
}

async function loadImage(store: OciLayoutStore, seed: string): Promise<void> {
  const blobs = new BlobSet();
  const descriptor = buildManifest(blobs, { platform: 'linux/amd64', seed, layers: ['shared', `${seed}-own`] });
  await storeSet(store, blobs, [{ name: `docker.io/example/app:${seed}`, descriptor }]);
}

/** Opens the store and publishes nothing new. */
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
};

const [, , directory = '', command = '', argument = ''] = process.argv;
COMMANDS[command]?.(directory, argument).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
