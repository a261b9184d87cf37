import path from 'node:path';
import { OciLayoutStore } from '../src/index.js';
import { DISCARD, hashing, loading, passing, skopeoLoad, skopeoSave, unpacking, withFullStore } from './contestants.js';
import { IMAGE, PLATFORMS } from './fixture.js';
import { folderBytes } from './folder-size.js';
import { fillStore } from './many-images.js';
import { quoted } from './measure.js';
import type { Case } from './run-case.js';
import type { Stand } from './stand.js';
import { freshFolder } from './workspace.js';

/** Every case by its name, in the order in which they run: those that need a full store stand together. */
export const CASES: Readonly<Record<string, (stand: Stand) => Case>> = {
  'save-pipe': savePipe,
  'reload-pipe': reloadPipe,
  'reload-file': reloadFile,
  'load-file': loadFile,
  'load-pipe': loadPipe,
  'load-one-pipe': loadOnePipe,
  'images-none': imagesOfNone,
  'images-many': imagesOfMany,
};

function savePipe(stand: Stand): Case {
  const { store, fixture } = stand;
  const tar = quoted('tar', 'cf', '-', '-C', store, 'oci-layout', 'index.json', 'blobs');
  return {
    title: 'save all → pipe',
    figure: '≥ 0.35 of tar; peak RSS ≤ 128 MiB',
    bytes: fixture.archiveBytes,
    contestants: [
      withFullStore(stand, 'lading', `${stand.lading('save', '--store', store, IMAGE)} | ${DISCARD}`),
      withFullStore(stand, 'tar c', `${tar} | ${DISCARD}`),
      ...hashing(stand),
      ...skopeoSave(stand, IMAGE),
    ],
  };
}

function loadFile(stand: Stand): Case {
  const { archive, archiveBytes } = stand.fixture;
  return {
    title: 'load all ← file',
    figure: '≥ 0.35 of tar; peak RSS ≤ 128 MiB',
    bytes: archiveBytes,
    contestants: [
      loading(stand, stand.lading('load', '--store', stand.store, '-i', archive)),
      unpacking(stand, quoted('tar', 'xf', archive, '-C', stand.unpacked)),
      ...skopeoLoad(stand),
    ],
  };
}

function loadPipe(stand: Stand): Case {
  const { archive, archiveBytes } = stand.fixture;
  return {
    title: 'load all ← pipe',
    figure: 'for information',
    bytes: archiveBytes,
    contestants: [
      loading(stand, `${quoted('cat', archive)} | ${stand.lading('load', '--store', stand.store)}`),
      unpacking(stand, `${quoted('cat', archive)} | ${quoted('tar', 'xf', '-', '-C', stand.unpacked)}`),
    ],
  };
}

function loadOnePipe(stand: Stand): Case {
  const { archive, archiveBytes, firstPlatformBytes } = stand.fixture;
  const one = stand.lading('load', '--store', stand.store, '--platform', PLATFORMS[0]);
  let stored = 0;
  const after = async (): Promise<void> => {
    stored = Math.max(stored, await folderBytes(path.join(stand.store, 'blobs')));
  };
  return {
    title: `load 1 of ${PLATFORMS.length} ← pipe`,
    figure: "blob bytes written ≤ the platform's blobs and documents",
    bytes: archiveBytes,
    contestants: [{ ...loading(stand, `${quoted('cat', archive)} | ${one}`), after }, passing(stand)],
    facts: () => [
      `${stored} bytes of blobs in the store; the platform's blobs and documents have ${firstPlatformBytes}`,
    ],
  };
}

function reloadFile(stand: Stand): Case {
  const { store, fixture } = stand;
  const load = stand.lading('load', '--store', store, '-i', fixture.archive);
  return {
    title: 'load again ← file, all present',
    figure: '0 blob bytes written',
    bytes: fixture.archiveBytes,
    contestants: [withFullStore(stand, 'lading', load), loading(stand, load, 'lading, first load')],
  };
}

function reloadPipe(stand: Stand): Case {
  const { store, fixture } = stand;
  const load = `${quoted('cat', fixture.archive)} | ${stand.lading('load', '--store', store)}`;
  return {
    title: 'load again ← pipe, all present',
    figure: '0 blob bytes written',
    bytes: fixture.archiveBytes,
    contestants: [withFullStore(stand, 'lading', load), passing(stand)],
  };
}

/** Rounds of the cases that take a fraction of a second. */
const SHORT_ROUNDS = 10;

function imagesOfNone(stand: Stand): Case {
  const store = path.join(stand.workspace.folder, 'none');
  return {
    title: 'images, of an empty store',
    figure: '≤ 150 ms',
    minRounds: SHORT_ROUNDS,
    contestants: [
      {
        name: 'lading',
        command: stand.plainLading('images', '--store', store),
        before: () => OciLayoutStore.open(store),
      },
    ],
  };
}

const MANY_IMAGES = 1000;

function imagesOfMany(stand: Stand): Case {
  const store = path.join(stand.workspace.folder, 'many');
  let filling: Promise<void> | undefined;
  const fill = async (): Promise<void> => fillStore(await freshFolder(stand.workspace, 'many'), MANY_IMAGES);
  return {
    title: `images, of ${MANY_IMAGES} with 2 platforms each`,
    figure: '≤ 1 s',
    minRounds: SHORT_ROUNDS,
    contestants: [
      {
        name: 'lading',
        command: stand.plainLading('images', '--store', store),
        before: () => (filling ??= fill()),
      },
    ],
  };
}
