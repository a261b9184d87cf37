import { closeSync, constants, type Stats } from 'node:fs';
import path from 'node:path';
import { lstatIfThere, namesIn } from '../../../files/if-there.js';
import { openRegular, readFileChunks, type OpenableFile } from '../../../files/read-file.js';
import { isNotFound } from '../../../files/storage-error.js';
import type { Digest } from '../../../model/digest.js';
import { stateOfProcess, type ProcessIdentity } from '../place/identity.js';
import { LeaseLines } from './lease-lines.js';

/** A lease as other processes read it. */
export interface SeenLease {
  readonly id: string;
  /**
   * `over`: its session has ended; its digests stay protected for the resume time. `unknown`: its owner is on another
   * host, or cannot be read (yet); it lapses by age alone.
   */
  readonly state: 'alive' | 'over' | 'unknown';
  readonly ageMs: number;
  /** How long its digests stay protected, if its session has said so. */
  readonly holdMs?: number;
  readonly digests: readonly Digest[];
  readonly owner?: ProcessIdentity;
}

/**
 * Whether a lease has lapsed: its session has ended, and the time to resume its work is over. A shorter resume time
 * applies only if the session is known to have ended.
 */
export function isLapsed({ state, ageMs, holdMs }: SeenLease, resumeMs: number): boolean {
  if (state === 'over' && holdMs !== undefined) return ageMs > holdMs;
  return state !== 'alive' && ageMs > (state === 'over' ? resumeMs : Math.max(resumeMs, RESUME_MS));
}

/** Every lease of the store. `now` in milliseconds. What is no lease, whatever its name, is left out. */
export async function readLeases(folder: string, now: number): Promise<readonly SeenLease[]> {
  const leases: SeenLease[] = [];
  for (const id of await namesIn(folder)) {
    const lease = await readLease(path.join(folder, id), id, now);
    if (lease !== undefined) leases.push(lease);
  }
  return leases;
}

/** The files in the place of a lease that are none: what is no regular file, or larger than any lease. */
export async function foreignLeases(folder: string): Promise<readonly string[]> {
  const foreign: string[] = [];
  for (const name of await namesIn(folder)) {
    const found = await lstatIfThere(path.join(folder, name));
    if (found !== undefined && !mayBeLease(found)) foreign.push(path.join(folder, name));
  }
  return foreign;
}

/** Far more than the claims of the largest archive that a load accepts by default. */
const MAX_LEASE_BYTES = 256 * 1024 * 1024;

function mayBeLease(file: Stats): boolean {
  return file.isFile() && file.size <= MAX_LEASE_BYTES;
}

async function readLease(file: string, id: string, now: number): Promise<SeenLease | undefined> {
  const seen = await lstatIfThere(file);
  if (seen === undefined || !mayBeLease(seen)) return undefined;
  try {
    const lines = new LeaseLines();
    for await (const chunk of readFileChunks(leaseFile(file), { start: 0, end: MAX_LEASE_BYTES })) lines.add(chunk);
    const { first, isEnded, holdMs, digests } = lines.end();
    const owner = parseOwner(first);
    const state = isEnded ? 'over' : owner === undefined ? 'unknown' : stateOfProcess(owner);
    return {
      id,
      state,
      ageMs: now - seen.mtimeMs,
      digests,
      ...(owner && { owner }),
      ...(holdMs !== undefined && { holdMs }),
    };
  } catch (error) {
    if (isNotFound(error) || error instanceof NotALease) return undefined;
    throw error;
  }
}

class NotALease extends Error {}

/** Opens a file that was regular a moment ago, without following a link or waiting for a pipe. */
function leaseFile(file: string): OpenableFile {
  return { acquire: () => openRegular(file, constants.O_NOFOLLOW, () => new NotALease()), release: closeSync };
}

function parseOwner(line: string): ProcessIdentity | undefined {
  try {
    const owner = JSON.parse(line) as Partial<ProcessIdentity> | null;
    // A half-written line fails above. Anything else that is no identity comes from another program.
    const { pid, host } = owner ?? {};
    return Number.isSafeInteger(pid) && Number(pid) > 0 && typeof host === 'string'
      ? (owner as ProcessIdentity)
      : undefined;
  } catch {
    return undefined;
  }
}

/** How long the blobs of an unfinished operation stay protected. */
export const RESUME_MS = 24 * 60 * 60 * 1000;
