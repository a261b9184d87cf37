import { rm } from 'node:fs/promises';
import path from 'node:path';
import { goalOf, loading, loadingOne, MAX_RSS_BYTES, passing } from '../contestants.js';
import { bytesOf, packBlobsFirst } from '../fixture.js';
import { quoted } from '../measure.js';
import type { Case, Contestant } from '../run-case.js';
import { PLATFORMS } from '../shapes.js';
import type { Stand } from '../stand.js';

const ONE = `1 of ${PLATFORMS.length}`;

/** Loads one platform of an archive file. */
export function loadOneFile(stand: Stand): Case {
  const { archive } = stand.fixture;
  return {
    title: `load ${ONE} ← file, metadata first`,
    ...common(stand),
    contestants: [loadingOne(stand, loadOne(stand, '-i', archive)), loadingAll(stand, archive)],
    facts: () => [onlyIts(stand)],
  };
}

/** Loads one platform of an archive file with its metadata last: a reader in order would write every blob. */
export async function loadOneFileBlobsFirst(stand: Stand): Promise<Case> {
  const archive = path.join(stand.ground.workspace.archiveFolder, 'blobs-first.tar');
  await stand.fill();
  await packBlobsFirst(stand.fixture, stand.store, archive);
  await stand.clear();
  const one = loadingOne(stand, loadOne(stand, '-i', archive), stand.fixture.blobs);
  return {
    title: `load ${ONE} ← file, blobs first`,
    ...common(stand),
    contestants: [one, loadingAll(stand, archive)],
    facts: () => ["only the platform's blobs were kept (checked)"],
    finish: () => rm(archive),
  };
}

/** Loads one platform from a pipe; its other bytes must be read and dropped. */
export function loadOnePipe(stand: Stand): Case {
  return {
    title: `load ${ONE} ← pipe, metadata first`,
    ...common(stand),
    contestants: [
      loadingOne(stand, `${quoted('cat', stand.fixture.archive)} | ${loadOne(stand)}`),
      passing(stand, goalOf(stand, 0.7, 0.9)),
    ],
    facts: () => [onlyIts(stand)],
  };
}

function common({ fixture }: Stand): Pick<Case, 'bytes' | 'maxRssBytes'> {
  return { bytes: fixture.archiveBytes, maxRssBytes: MAX_RSS_BYTES };
}

function loadOne(stand: Stand, ...words: readonly string[]): string {
  return stand.lading('load', '--store', stand.store, '--platform', PLATFORMS[0], ...words);
}

function loadingAll(stand: Stand, archive: string): Contestant {
  const load = stand.lading('load', '--store', stand.store, '-i', archive);
  return { ...loading(stand, load, 'lading, all'), goal: 5 };
}

function onlyIts({ fixture }: Stand): string {
  return `only the platform's ${bytesOf(fixture.firstPlatform)} bytes of blobs were written (checked)`;
}
