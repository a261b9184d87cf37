import path from 'node:path';
import fs from 'fs-extra';
import { isDigest, type Digest } from '../../../model/digest.js';
import { namesIn } from '../../../files/if-there.js';
import { isNotFound } from '../../../files/storage-error.js';
import { stateOfProcess, thisProcess, type ProcessIdentity } from '../place/identity.js';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** Digests that are claimed in one write. */
const LINES_AT_ONCE = 1024;

/** How long the blobs of an operation that did not finish stay safe. */
export const RESUME_MS = 24 * 60 * 60 * 1000;

/**
 * One operation's claim on the blobs that it looks up or writes: a file with its owner, then one line for each digest. Holds
 * the digests claimed so far.
 */
export class Lease {
  readonly id: string;
  readonly #file: string;
  readonly #fd: number;
  readonly #claimed = new Set<Digest>();
  #isOpen = true;
  /** Whether the last line was cut short: the next one begins a line of its own. */
  #isTorn = false;

  private constructor(id: string, file: string, fd: number) {
    this.id = id;
    this.#file = file;
    this.#fd = fd;
  }

  static async create(folder: string, id: string): Promise<Lease> {
    const file = path.join(folder, id);
    const lease = new Lease(id, file, await fs.open(file, O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600));
    try {
      fs.fchmodSync(lease.#fd, 0o600);
      lease.#writeLine(JSON.stringify(thisProcess()));
      return lease;
    } catch (error) {
      await lease.end({ keep: false });
      throw error;
    }
  }

  /** Claims digests. Must be done before asking whether the store has them, or a collection may take them in between. */
  claim(digests: readonly Digest[]): void {
    if (!this.#isOpen) return;
    const unclaimed = [...new Set(digests)].filter((digest) => !this.#claimed.has(digest));
    for (let at = 0; at < unclaimed.length; at += LINES_AT_ONCE) {
      const claimed = unclaimed.slice(at, at + LINES_AT_ONCE);
      this.#writeLine(claimed.join('\n'));
      for (const digest of claimed) this.#claimed.add(digest);
    }
  }

  /** Ends the lease. With `keep` its file stays, and holds the blobs for the resume time. */
  async end({ keep }: { readonly keep: boolean }): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      if (keep) this.#writeLine(ENDED);
      else await fs.remove(this.#file);
    } finally {
      await fs.close(this.#fd);
    }
  }

  /** One short append; awaiting a thread for it would take ten times as long. Each line counts when all of it is there. */
  #writeLine(text: string): void {
    let left = Buffer.from(`${this.#isTorn ? '\n' : ''}${text}\n`);
    this.#isTorn = true;
    while (left.length > 0) left = left.subarray(fs.writeSync(this.#fd, left));
    this.#isTorn = false;
  }
}

/** The line by which a live process says that it gave the operation up and left it to be resumed. */
const ENDED = 'ended';

/** A lease as others see it. */
export interface SeenLease {
  readonly id: string;
  /**
   * `over`: nothing will be written under this lease any more; its digests stay safe for the resume time. `unknown`: its
   * owner is on another host, or cannot be read (yet); only the resume time tells.
   */
  readonly state: 'alive' | 'over' | 'unknown';
  readonly ageMs: number;
  readonly digests: readonly Digest[];
  readonly owner?: ProcessIdentity;
}

/**
 * Whether a lease has lapsed: nobody works under it, and the time to take its work up again is over. That time may be shortened
 * only where it is known that nobody does.
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
    // Our own file, mode 0600 in a folder 0700; a half-written line fails here.
    return JSON.parse(line) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
