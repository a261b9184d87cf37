import path from 'node:path';
import fs from 'fs-extra';
import { namesIn, lstatIfThere } from '../../../files/if-there.js';
import { isLapsed, readLeases, type SeenLease } from './read-leases.js';
import { OPENER, type LayoutPaths } from '../place/layout-paths.js';

/** The sessions of a store, and what those that are over have left behind. */
export interface Sessions {
  /** The leases that hold something. */
  readonly holding: readonly SeenLease[];
  readonly lapsed: readonly string[];
  /** Files that nobody writes any more, and their bytes. */
  readonly leftovers: ReadonlyMap<string, number>;
}

/** A store is opened, and a lease found to be there or not, in far less. */
const OPENING_MS = 60 * 60 * 1000;

/**
 * Leases lapse after the resume time where their owner is not known to live. Ingest files of sessions that are over are
 * leftovers at once; those of a store that is being opened when they are old.
 */
export async function sessionsOf(paths: LayoutPaths, now: number, resumeMs: number): Promise<Sessions> {
  // Files first: a session has its lease before its first file, so that a file whose lease is not there is nobody's.
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

/** Removes leases that have lapsed, and leftovers. */
export async function dropDeadSessions(paths: LayoutPaths, { lapsed, leftovers }: Sessions): Promise<void> {
  for (const id of lapsed) await fs.remove(path.join(paths.leases, id));
  for (const file of leftovers.keys()) await fs.remove(file);
}
