import { goalOf, hashing, loading, MAX_RSS_BYTES, packing, saving, unpacking } from '../contestants.js';
import { quoted } from '../measure.js';
import { ctrExport, ctrImport, ctrImportPiped, skopeoLoad, skopeoSave } from '../peers.js';
import type { Case } from '../run-case.js';
import type { Stand } from '../stand.js';

/** Saves all platforms from a store to a pipe. */
export function savePipe(stand: Stand): Case {
  return {
    title: 'save all → pipe',
    bytes: stand.fixture.archiveBytes,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [
      saving(stand),
      packing(stand, goalOf(stand, 0.9, 1.1)),
      hashing(stand),
      skopeoSave(stand),
      ctrExport(stand, 10),
    ],
  };
}

/** Loads all platforms from an archive file into an empty store. */
export function loadFile(stand: Stand): Case {
  const { archive, archiveBytes } = stand.fixture;
  return {
    title: 'load all ← file',
    bytes: archiveBytes,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [
      loading(stand, stand.lading('load', '--store', stand.store, '-i', archive)),
      unpacking(stand, quoted('tar', 'xf', archive, '-C', stand.unpacked), goalOf(stand, 1, 1.4)),
      hashing(stand),
      skopeoLoad(stand),
      ctrImport(stand, 5),
    ],
  };
}

/** Loads all platforms from a pipe into an empty store. */
export function loadPipe(stand: Stand): Case {
  const { archive, archiveBytes } = stand.fixture;
  return {
    title: 'load all ← pipe',
    bytes: archiveBytes,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [
      loading(stand, `${quoted('cat', archive)} | ${stand.lading('load', '--store', stand.store)}`),
      unpacking(
        stand,
        `${quoted('cat', archive)} | ${quoted('tar', 'xf', '-', '-C', stand.unpacked)}`,
        goalOf(stand, 1.1, 1.3),
      ),
      hashing(stand),
      ctrImportPiped(stand, 3),
    ],
  };
}
