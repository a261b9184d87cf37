import path from 'node:path';
import fs from 'fs-extra';
import { namesIn } from '../../../files/if-there.js';
import { isNotFound } from '../../../files/storage-error.js';
import { isDigest, type Digest } from '../../../model/digest.js';
import { stateOfProcess, type ProcessIdentity } from '../place/identity.js';

/** A lease as other processes read it. */
export interface SeenLease {
  readonly id: string;
  /**
   * `over`: its session has ended; its digests stay protected for the resume time. `unknown`: its owner is on another
   * host, or cannot be read (yet); it lapses by age alone.
   */
  readonly state: 'alive' | 'over' | 'unknown';
  readonly ageMs: number;
  readonly digests: readonly Digest[];
  readonly owner?: ProcessIdentity;
}

/**
 * Whether a lease has lapsed: its session has ended, and the time to resume its work is over. A shorter resume time
 * applies only if the session is known to have ended.
 */
export function isLapsed({ state, ageMs }: SeenLease, resumeMs: number): boolean {
  return state !== 'alive' && ageMs > (state === 'over' ? resumeMs : Math.max(resumeMs, RESUME_MS));
}

/** Every lease of the store. `now` in milliseconds. */
export async function readLeases(folder: string, now: number): Promise<readonly SeenLease[]> {
  const leases: SeenLease[] = [];
  for (const id of await namesIn(folder)) {
    const lease = await readLease(path.join(folder, id), id, now);
    if (lease !== undefined) leases.push(lease);
  }
  return leases;
}

async function readLease(file: string, id: string, now: number): Promise<SeenLease | undefined> {
  try {
    const { mtimeMs } = await fs.stat(file);
    const [first = '', ...lines] = (await fs.readFile(file, 'utf8')).split('\n');
    const owner = parseOwner(first);
    const state = lines.includes(ENDED) ? 'over' : owner === undefined ? 'unknown' : stateOfProcess(owner);
    return { id, state, ageMs: now - mtimeMs, digests: lines.filter(isDigest), ...(owner && { owner }) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function parseOwner(line: string): ProcessIdentity | undefined {
  try {
    // Our own file, mode 0600 in a folder with mode 0700. A half-written line fails here.
    return JSON.parse(line) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

/** How long the blobs of an unfinished operation stay protected. */
export const RESUME_MS = 24 * 60 * 60 * 1000;

/** The line that a process writes when it ends an operation that may be resumed. */
export const ENDED = 'ended';
