import { checkBlobs, checkWritten } from './check-blobs.js';
import { IMAGE } from './fixture.js';
import { isInstalled } from './installed.js';
import { measure, quoted } from './measure.js';
import type { Contestant } from './run-case.js';
import type { Stand } from './stand.js';

/** The most memory that Lading's process may take, for an archive of any size. */
export const MAX_RSS_BYTES = 120 * 1024 * 1024;

/** From this size on an archive counts as large. */
const LARGE_BYTES = 4096 * 1024 * 1024;

/** The goal for the size of the stand's archive. In a small one most of the time is that of starting Node. */
export function goalOf({ fixture }: Stand, medium: number, large: number): number {
  return fixture.archiveBytes >= LARGE_BYTES ? large : medium;
}

/** The end of a pipe: a process that reads everything and keeps nothing. */
export const DISCARD = 'cat >/dev/null';

/** Lading, filling an empty store with all platforms. */
export function loading(stand: Stand, command: string, name = 'lading'): Contestant {
  const { store, fixture } = stand;
  return {
    name,
    command,
    before: () => stand.clear(),
    check: async (samples) => {
      await checkBlobs(store, fixture.blobs);
      checkWritten(samples, fixture.blobs);
    },
    watched: store,
  };
}

/** Lading, filling an empty store with the first platform's share. `written` are the blobs that it may write. */
export function loadingOne(stand: Stand, command: string, written = stand.fixture.firstPlatform): Contestant {
  const { store, fixture } = stand;
  return {
    ...loading(stand, command),
    check: async (samples) => {
      await checkBlobs(store, fixture.firstPlatform);
      checkWritten(samples, written);
    },
  };
}

/** Lading, loading what the store already has. */
export function reloading(stand: Stand, command: string): Contestant {
  return {
    name: 'lading',
    command,
    before: () => stand.fill(),
    check: async (samples) => {
      await checkBlobs(stand.store, stand.fixture.blobs);
      checkWritten(samples, []);
    },
    watched: stand.store,
  };
}

/** Lading, saving all platforms to a pipe. After the last run GNU tar unpacks the output, to check it. */
export function saving(stand: Stand): Contestant {
  const save = (...words: readonly string[]): string => stand.lading('save', '--store', stand.store, IMAGE, ...words);
  return {
    name: 'lading',
    command: `${save()} | ${DISCARD}`,
    before: () => stand.fill(),
    check: async () => {
      await stand.emptyUnpacked();
      await measure(`${save()} | ${quoted('tar', 'xf', '-', '-C', stand.unpacked)}`);
      await checkBlobs(stand.unpacked, stand.fixture.blobs);
      await stand.emptyUnpacked();
    },
    watched: stand.store,
  };
}

/** tar, packing the blobs of a full store. */
export function packing(stand: Stand, goal: number): Contestant {
  const tar = quoted('tar', 'cf', '-', '-C', stand.store, 'oci-layout', 'index.json', 'blobs');
  return { name: 'tar c', command: `${tar} | ${DISCARD}`, goal, before: () => stand.fill() };
}

/** tar, unpacking into an empty folder. */
export function unpacking(stand: Stand, command: string, goal: number): Contestant {
  const after = (): Promise<void> => stand.emptyUnpacked();
  return { name: 'tar x', command, goal, before: () => stand.clear(), after, watched: stand.unpacked };
}

/** The speed of a pipe whose bytes are only passed on. */
export function passing({ fixture }: Stand, goal: number): Contestant {
  return { name: 'cat | cat', command: `${quoted('cat', fixture.archive)} | ${DISCARD}`, goal };
}

/** The rate of sha256 on one core: verified work on one thread cannot be faster. */
export function hashing({ fixture }: Stand): Contestant {
  return {
    name: 'openssl sha256',
    command: `${quoted('openssl', 'dgst', '-sha256', fixture.archive)} >/dev/null`,
    whyMissing: async () => (isInstalled('openssl') ? undefined : 'openssl is not in PATH'),
  };
}
