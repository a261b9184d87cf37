import { loading, MAX_RSS_BYTES, packing, saving, unpacking } from '../contestants.js';
import { quoted } from '../measure.js';
import type { Case } from '../run-case.js';
import { smallBlobs } from '../shapes.js';
import { Stand } from '../stand.js';

/** Saves many small blobs from a store to a pipe. */
export async function saveSmallBlobs({ ground }: Stand): Promise<Case> {
  const stand = await Stand.build(ground, 'small-blobs', smallBlobs(ground.smallBlobs));
  return {
    title: `save ${ground.smallBlobs} blobs of 10 KiB → pipe`,
    bytes: stand.fixture.archiveBytes,
    isWatched: false,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [saving(stand), packing(stand, 0.35)],
    finish: () => stand.remove(),
  };
}

/** Loads many small blobs from an archive file into an empty store. */
export async function loadSmallBlobs({ ground }: Stand): Promise<Case> {
  const stand = await Stand.build(ground, 'small-blobs', smallBlobs(ground.smallBlobs));
  const { archive, archiveBytes } = stand.fixture;
  return {
    title: `load ${ground.smallBlobs} blobs of 10 KiB ← file`,
    bytes: archiveBytes,
    isWatched: false,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [
      loading(stand, stand.lading('load', '--store', stand.store, '-i', archive)),
      unpacking(stand, quoted('tar', 'xf', archive, '-C', stand.unpacked), 0.2),
    ],
    finish: () => stand.remove(),
  };
}
