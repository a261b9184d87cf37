import os from 'node:os';
import path from 'node:path';
import fs from 'fs-extra';
import { isDigest, type Digest } from '../model/digest.js';
import { isNotFound } from './storage-error.js';

/** Who holds a lease: a process is told from a later one of the same number by its start time and boot. */
interface Owner {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
  readonly host: string;
}

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

  private constructor(id: string, file: string, fd: number) {
    this.id = id;
    this.#file = file;
    this.#fd = fd;
  }

  static async create(folder: string, id: string): Promise<Lease> {
    const file = path.join(folder, id);
    const fd = await fs.open(file, 'ax', 0o600);
    const lease = new Lease(id, file, fd);
    await fs.appendFile(file, `${JSON.stringify(await thisProcess())}\n`);
    return lease;
  }

  /** Claims a digest. Must be done before asking whether the store has it, or a collection may take it in between. */
  claim(digest: Digest): void {
    if (this.#claimed.has(digest) || !this.#isOpen) return;
    this.#claimed.add(digest);
    // One short append; awaiting a thread for it would take ten times as long.
    fs.writeSync(this.#fd, `${digest}\n`);
  }

  /** Ends the lease. With `keep` its file stays, and holds the blobs for the resume time. */
  async end({ keep }: { readonly keep: boolean }): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (keep) fs.writeSync(this.#fd, `${ENDED}\n`);
    await fs.close(this.#fd);
    if (!keep) await fs.remove(this.#file);
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
}

/** Every lease of the store. `now` in milliseconds. */
export async function readLeases(folder: string, now: number): Promise<readonly SeenLease[]> {
  const leases: SeenLease[] = [];
  for (const id of await fs.readdir(folder)) {
    const lease = await readLease(path.join(folder, id), id, now);
    if (lease !== undefined) leases.push(lease);
  }
  return leases;
}

async function readLease(file: string, id: string, now: number): Promise<SeenLease | undefined> {
  try {
    const { mtimeMs } = await fs.stat(file);
    const [first = '', ...lines] = (await fs.readFile(file, 'utf8')).split('\n');
    const state = lines.includes(ENDED) ? 'over' : await stateOf(first);
    return { id, state, ageMs: now - mtimeMs, digests: lines.filter(isDigest) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function stateOf(line: string): Promise<SeenLease['state']> {
  const owner = parseOwner(line);
  if (owner === undefined || owner.host !== os.hostname()) return 'unknown';
  if (owner.bootId !== (await bootId())) return 'over';
  return (await startTimeOf(owner.pid)) === owner.startTime ? 'alive' : 'over';
}

function parseOwner(line: string): Owner | undefined {
  try {
    // Our own file, mode 0600 in a folder 0700; a half-written line fails here.
    return JSON.parse(line) as Owner;
  } catch {
    return undefined;
  }
}

async function thisProcess(): Promise<Owner> {
  // The one place on this floor that asks who we are: a lease is about a process.
  const { pid } = globalThis.process;
  return { pid, startTime: (await startTimeOf(pid)) ?? '', bootId: await bootId(), host: os.hostname() };
}

async function bootId(): Promise<string> {
  return (await readOrNothing('/proc/sys/kernel/random/boot_id')).trim();
}

/** Field 22 of /proc/PID/stat (proc(5)), behind the command name, which may hold spaces and parentheses. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readOrNothing(`/proc/${pid}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

async function readOrNothing(file: string): Promise<string> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch {
    return '';
  }
}
