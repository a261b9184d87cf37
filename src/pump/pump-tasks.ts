import { STOP_CHECK_MS } from '../files/own-pipe.js';
import { totalBytes } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { fitsOneHeader, type TarHeaderFields } from '../model/tar-writer.js';

/* What the threads of a pump share. */

/** An entry whose body is in a file. */
export interface BlobEntry extends TarHeaderFields {
  readonly file: string;
  readonly digest: Digest;
}

/** An entry whose body the plan made. */
export interface BytesEntry extends TarHeaderFields {
  readonly bytes: Uint8Array;
}

export type PumpEntry = BlobEntry | BytesEntry;

/** A file up to this size is read whole by the thread that writes. Larger ones are hashed by threads beside it. */
export const SMALL_BYTES = 128 * 1024;

/** Whether threads hash the body while another one writes it. */
export function isLarge(entry: BlobEntry): boolean {
  return entry.size > SMALL_BYTES;
}

/** A smaller archive is written before the threads have started. */
const MIN_BYTES = 16 * 1024 * 1024;

/** Whether threads can write the entries, which need no more than a plain header, faster than a stream. */
export function isWorthThreads(entries: readonly Pick<PumpEntry, 'name' | 'size'>[]): boolean {
  return totalBytes(entries.map(({ size }) => size)) >= MIN_BYTES && entries.every(fitsOneHeader);
}

/** What every thread gets when it starts. */
export interface PumpThreadData {
  readonly shared: SharedArrayBuffer;
  /** The large entries, in order. */
  readonly large: readonly BlobEntry[];
}

/**
 * Entries on their way to a thread. As one text: to clone many small objects takes several times as long, and the copy
 * of each is three times as large.
 */
export interface PackedEntries {
  /** A list of rows as JSON. */
  readonly rows: string;
  /** The folders that the rows name by number. */
  readonly folders: readonly string[];
  /** The bodies that the plan made, which the rows name by number. */
  readonly made: readonly Uint8Array[];
}

/** What the thread that writes gets in addition. `pipe`: a descriptor of this process alone, non-blocking. */
export interface WriterThreadData extends PumpThreadData {
  readonly pipe: number;
  readonly entries: PackedEntries;
}

/** What a thread that fills slots gets. */
export interface FillThreadData {
  readonly shared: SharedArrayBuffer;
  readonly entries: PackedEntries;
}

/** How many large entries may be hashed before the writer comes to them. Their files are open meanwhile. */
const MAX_AHEAD = 4;

const STOPPED = 0;
const WRITTEN = 1;
const CLAIMED = 2;
/** A number of 8 bytes: the place of two. */
const SENT = 4;
const HEAD = 6;

type Verdict = 'good' | 'bad';
const VERDICTS: readonly (Verdict | undefined)[] = [undefined, 'good', 'bad'];

/** The state that the threads share: 16 bytes for each large entry. */
export class PumpState {
  readonly #numbers: Int32Array;
  readonly #sent: BigInt64Array;
  readonly #times: BigInt64Array;
  readonly #count: number;

  static sharedFor(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * HEAD + 16 * count);
  }

  constructor(shared: SharedArrayBuffer) {
    this.#count = (shared.byteLength - 4 * HEAD) / 16;
    this.#times = new BigInt64Array(shared, 4 * HEAD, this.#count);
    this.#numbers = new Int32Array(shared);
    this.#sent = new BigInt64Array(shared, 4 * SENT, 1);
  }

  /** Bytes of the archive that are in the pipe. */
  get sent(): number {
    return Number(Atomics.load(this.#sent, 0));
  }

  set sent(bytes: number) {
    Atomics.store(this.#sent, 0, BigInt(bytes));
  }

  /** Tells every thread to end early. */
  stop(): void {
    Atomics.store(this.#numbers, STOPPED, 1);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#numbers, STOPPED) !== 0;
  }

  /** The next large entry that no thread has hashed yet, once the writer is near; undefined if there is no more. */
  claim(): number | undefined {
    const at = Atomics.add(this.#numbers, CLAIMED, 1);
    if (at >= this.#count) return undefined;
    const isNear = (): boolean => at < Atomics.load(this.#numbers, WRITTEN) + MAX_AHEAD;
    return this.#until(WRITTEN, isNear) ? at : undefined;
  }

  /** Says that the large entry is open. `changed`: the time of its last change in nanoseconds, before it was read. */
  opened(at: number, fd: number, changed: bigint): void {
    this.#times[at] = changed;
    this.#set(this.#fdOf(at), fd + 1);
  }

  /** Says what the hash of a large entry came to. */
  judged(at: number, verdict: Verdict): void {
    this.#set(this.#fdOf(at) + 1, VERDICTS.indexOf(verdict));
    // Wakes a writer that waits for a file which could not be opened.
    Atomics.notify(this.#numbers, this.#fdOf(at));
  }

  /** Waits until the large entry is open. Undefined if it could not be opened, or the pump was stopped. */
  waitForFile(at: number): { readonly fd: number; readonly changed: bigint } | undefined {
    const index = this.#fdOf(at);
    this.#until(index, () => Atomics.load(this.#numbers, index) !== 0 || this.#verdictOf(at) === 'bad');
    const fd = Atomics.load(this.#numbers, index) - 1;
    return fd < 0 ? undefined : { fd, changed: this.#times[at] ?? 0n };
  }

  /** Waits for the verdict on a large entry. False also if the pump was stopped. */
  waitForVerdict(at: number): boolean {
    this.#until(this.#fdOf(at) + 1, () => this.#verdictOf(at) !== undefined);
    return this.#verdictOf(at) === 'good';
  }

  /** Says that the writer is done with a large entry, whose file it has closed. */
  written(at: number): void {
    Atomics.store(this.#numbers, this.#fdOf(at), 0);
    Atomics.add(this.#numbers, WRITTEN, 1);
    Atomics.notify(this.#numbers, WRITTEN);
  }

  /** The files that are still open. */
  *openFiles(): Generator<number> {
    for (let at = 0; at < this.#count; at += 1) {
      const fd = Atomics.load(this.#numbers, this.#fdOf(at)) - 1;
      if (fd >= 0) yield fd;
    }
  }

  #verdictOf(at: number): Verdict | undefined {
    return VERDICTS[Atomics.load(this.#numbers, this.#fdOf(at) + 1)];
  }

  #fdOf(at: number): number {
    return HEAD + 2 * this.#count + 2 * at;
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#numbers, index, value);
    Atomics.notify(this.#numbers, index);
  }

  /** Waits until the condition holds, and returns true; or false if the pump was stopped. */
  #until(index: number, condition: () => boolean): boolean {
    while (!condition()) {
      if (this.isStopped) return false;
      Atomics.wait(this.#numbers, index, Atomics.load(this.#numbers, index), STOP_CHECK_MS);
    }
    return true;
  }
}
