import { goalOf, loading, MAX_RSS_BYTES, passing, reloading } from '../contestants.js';
import { quoted } from '../measure.js';
import type { Case } from '../run-case.js';
import type { Stand } from '../stand.js';

/** Loads an archive file whose content the store already has. */
export function reloadFile(stand: Stand): Case {
  const { store, fixture } = stand;
  const load = stand.lading('load', '--store', store, '-i', fixture.archive);
  return {
    title: 'load again ← file, all present',
    bytes: fixture.archiveBytes,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [reloading(stand, load), { ...loading(stand, load, 'lading, first load'), goal: 10 }],
    facts: () => [NOTHING_WRITTEN],
  };
}

/** Loads from a pipe whose content the store already has. */
export function reloadPipe(stand: Stand): Case {
  const { store, fixture } = stand;
  const load = `${quoted('cat', fixture.archive)} | ${stand.lading('load', '--store', store)}`;
  return {
    title: 'load again ← pipe, all present',
    bytes: fixture.archiveBytes,
    maxRssBytes: MAX_RSS_BYTES,
    contestants: [reloading(stand, load), passing(stand, goalOf(stand, 0.7, 0.95))],
    facts: () => [NOTHING_WRITTEN],
  };
}

const NOTHING_WRITTEN = 'no blob was written, and all are whole (checked)';
