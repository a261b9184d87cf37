import path from 'node:path';
import fs from 'fs-extra';
import { lstatIfThere, namesIn } from '../../../files/if-there.js';
import { OPENER, type LayoutPaths } from '../place/layout-paths.js';
import { isLapsed, readLeases, type SeenLease } from './read-leases.js';

/** The leases of a store, and the files that ended sessions left behind. */
export interface Sessions {
  /** The leases that still protect their blobs. */
  readonly holding: readonly SeenLease[];
  /** The ids of the leases that protect nothing any more. */
  readonly lapsed: readonly string[];
  /** Ingest files that no session writes any more, with their sizes in bytes. */
  readonly leftovers: ReadonlyMap<string, number>;
}

/** Far longer than it takes to open a store. */
const OPENING_MS = 60 * 60 * 1000;

/**
 * A lease lapses after the resume time, unless its owner is known to run. Ingest files of ended sessions are leftovers
 * at once; those from opening a store are leftovers when they are old.
 */
export async function sessionsOf(paths: LayoutPaths, now: number, resumeMs: number): Promise<Sessions> {
  // Files first: a session writes its lease before its first file, so a file without a lease has no owner.
  const names = await namesIn(paths.ingest);
  const leases = await readLeases(paths.leases, now);
  const lapsed = leases.filter((lease) => isLapsed(lease, resumeMs));
  const holding = leases.filter((lease) => !lapsed.includes(lease));
  const writers = new Set(holding.filter(({ state }) => state !== 'over').map(({ id }) => id));
  const leftovers = new Map<string, number>();
  for (const name of names) {
    const file = path.join(paths.ingest, name);
    const found = await lstatIfThere(file);
    const session = name.split('.')[0] ?? '';
    if (found === undefined || writers.has(session)) continue;
    const isOpening = session === OPENER && now - found.mtimeMs <= Math.max(resumeMs, OPENING_MS);
    if (!isOpening) leftovers.set(file, found.size);
  }
  return { holding, lapsed: lapsed.map(({ id }) => id), leftovers };
}

/** Removes lapsed leases and leftovers. */
export async function dropDeadSessions(paths: LayoutPaths, { lapsed, leftovers }: Sessions): Promise<void> {
  for (const id of lapsed) await fs.remove(path.join(paths.leases, id));
  for (const file of leftovers.keys()) await fs.remove(file);
}
