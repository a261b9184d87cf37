import path from 'node:path';
import fs from 'fs-extra';
import type { Digest } from '../../../model/digest.js';
import { thisProcess } from '../place/identity.js';
import { ENDED, HELD } from './lease-lines.js';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** The largest number of digests in one write. */
const LINES_AT_ONCE = 1024;

/**
 * One operation's claim on the blobs that it looks up or writes: a file with its owner, then one line for each digest.
 * Holds the digests claimed so far.
 */
export class Lease {
  readonly id: string;
  readonly #file: string;
  readonly #fd: number;
  readonly #claimed = new Set<Digest>();
  #isOpen = true;
  /** Whether the last write failed in the middle of a line. The next write then starts a new line. */
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

  /** Claims digests. Call it before looking them up: a collection could remove them in between. */
  claim(digests: readonly Digest[]): void {
    if (!this.#isOpen) return;
    const unclaimed = [...new Set(digests)].filter((digest) => !this.#claimed.has(digest));
    for (let at = 0; at < unclaimed.length; at += LINES_AT_ONCE) {
      const claimed = unclaimed.slice(at, at + LINES_AT_ONCE);
      this.#writeLine(claimed.join('\n'));
      for (const digest of claimed) this.#claimed.add(digest);
    }
  }

  /** Ends the lease. With `keep` its file stays, and protects the blobs for the resume time, or for `holdMs`. */
  async end({ keep, holdMs }: { readonly keep: boolean; readonly holdMs?: number }): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      if (keep) this.#writeLine(holdMs === undefined ? ENDED : `${HELD} ${Math.ceil(holdMs)}\n${ENDED}`);
      else await fs.remove(this.#file);
    } finally {
      await fs.close(this.#fd);
    }
  }

  /** One short append: waiting for a thread to do it takes ten times as long. Readers ignore incomplete lines. */
  #writeLine(text: string): void {
    let left = Buffer.from(`${this.#isTorn ? '\n' : ''}${text}\n`);
    this.#isTorn = true;
    while (left.length > 0) left = left.subarray(fs.writeSync(this.#fd, left));
    this.#isTorn = false;
  }
}
