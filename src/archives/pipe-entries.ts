import { Readable } from 'node:stream';
import type { PouredPart } from '../files/file-part.js';
import { bodyOf } from '../flow/bodies.js';
import type { Limits } from '../model/limits.js';
import { TAR_BLOCK } from '../model/tar-header.js';
import { TarJudge, type JudgedEntry } from '../model/tar-judge.js';
import type { PipeInput } from './pipe-input.js';

/** An entry that is read from a pipe. The next one comes after its body was read, poured or skipped. */
export interface PipeEntry {
  readonly name: string;
  readonly type: JudgedEntry['type'];
  readonly size: number;
  readonly linkname?: string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Set for a large body. */
  readonly poured?: PouredPart;
  readonly skip: () => Promise<void>;
}

/** A body that ends before this is read in this process: a small archive is here before a thread has started. */
const FIRST_BYTES = 1024 * 1024;

/** A body up to this size is passed on as it is if it was read already: an archive may have hundreds of thousands. */
const SMALL_BYTES = 64 * 1024;

/** A smaller body is read in this process: to pour it would take longer. */
const LARGE_BYTES = 256 * 1024;

/**
 * The entries of a tar that comes through a pipe, one open body at a time. Every header passes the same checks as in a
 * stream. Holds what TarJudge and PipeInput hold.
 */
export class PipeEntries extends Readable {
  readonly #input: PipeInput;
  readonly #entries: AsyncGenerator<PipeEntry>;

  constructor(input: PipeInput, limits: Limits) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#input = input;
    this.#entries = entriesOf(input, limits);
  }

  override _read(): void {
    this.#entries.next().then(
      ({ done, value }) => this.push(done ? null : value),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#input.stop();
    callback(error);
  }
}

async function* entriesOf(input: PipeInput, limits: Limits): AsyncGenerator<PipeEntry> {
  const found: JudgedEntry[] = [];
  const judge = new TarJudge(limits, (entry) => found.push(entry));
  const take = async (bytes: number): Promise<Buffer> => input.takeRead(bytes) ?? (await input.take(bytes));
  for (let block = await take(TAR_BLOCK); block.length > 0; block = await take(TAR_BLOCK)) {
    judge.judge(block);
    const entry = found.pop();
    if (entry === undefined) continue;
    const bytes = entry.size <= SMALL_BYTES ? input.takeRead(entry.size) : undefined;
    if (bytes === undefined) yield* passing(entry, new PipeBody(input, entry.size, (size) => cutAfter(judge, size)));
    else yield { ...plainEntry(entry), body: bodyOf(bytes), skip: passed };
    if (entry.size > 0) judge.skip(entry.size);
    // The padding goes through the judge, block by block, as the next header does.
    judge.judge(await take(judge.skippable));
  }
  judge.end();
}

/** The judge's error for an input that ends so many bytes after the last header. */
function cutAfter(judge: TarJudge, bytes: number): unknown {
  try {
    judge.skip(bytes);
    judge.end();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** An entry whose body is still in the pipe. Ends when it has passed. */
async function* passing(entry: JudgedEntry, body: PipeBody): AsyncGenerator<PipeEntry> {
  const { start, size } = entry;
  const poured = { size, pour: body.pour, stop: body.stop, passed: body.bytesPassed };
  const isLarge = size >= LARGE_BYTES && start + size >= FIRST_BYTES;
  yield { ...plainEntry(entry), ...(isLarge && { poured }), body, skip: body.skip };
  if (entry.type === 'file') await body.passed;
}

function plainEntry({
  name,
  type,
  linkname,
  size,
}: JudgedEntry): Pick<PipeEntry, 'name' | 'type' | 'size' | 'linkname'> {
  return { name, type, size, ...(linkname && { linkname }) };
}

/** Skips a body that was taken from the pipe already. */
async function passed(): Promise<void> {}

/** One body on its way. It is read, poured or skipped, whichever is called first. */
class PipeBody implements AsyncIterable<Buffer> {
  readonly #input: PipeInput;
  readonly #size: number;
  readonly #cutAfter: (bytes: number) => unknown;
  readonly #settled = withResolvers();
  #left: number;
  /** Whether the input pours or skips the rest of this body now. */
  #isMoving = false;
  /** The error of an input that has ended in this body. */
  #cut: unknown;

  /** `cutAfter` makes the error for an input that ends after so many bytes of this body. */
  constructor(input: PipeInput, size: number, cutAfter: (bytes: number) => unknown) {
    this.#input = input;
    this.#size = size;
    this.#cutAfter = cutAfter;
    this.#left = size;
    // Nobody waits for it if the load has ended.
    this.passed.catch(() => {});
    if (size === 0) this.#settled.resolve();
  }

  /** Fulfilled when all bytes of the body were read, poured or skipped. */
  get passed(): Promise<void> {
    return this.#settled.promise;
  }

  readonly stop = (): void => this.#input.stop();

  readonly bytesPassed = (): number => this.#size - this.#left + (this.#isMoving ? this.#input.moved : 0);

  readonly skip = async (): Promise<void> => {
    await this.#pass(async () => await this.#input.skip(this.#left));
  };

  readonly pour = async (target: number): Promise<number> => {
    await this.#pass(async () => await this.#input.pour(target, this.#left));
    return this.#size;
  };

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      while (this.#left > 0) {
        const chunk = await this.#input.takeSome(this.#left);
        this.#count(chunk.length);
        yield chunk;
      }
    } finally {
      // Also if its reader stops early: the next entry comes after the whole body.
      await this.skip();
    }
  }

  async #pass(move: () => Promise<number>): Promise<void> {
    try {
      this.#isMoving = true;
      if (this.#left > 0) this.#count(await move(), this.#left);
      this.#settled.resolve();
    } catch (error) {
      this.#settled.reject(error);
      throw error;
    } finally {
      this.#isMoving = false;
    }
  }

  /** Counts bytes that have passed. Fewer than `least` mean that the input has ended. */
  #count(bytes: number, least = 1): void {
    this.#left -= bytes;
    if (bytes >= least) return;
    this.#cut ??= this.#cutAfter(this.#size - this.#left);
    throw this.#cut;
  }
}

interface Resolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** As `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers(): Resolvers {
  let settle: Omit<Resolvers, 'promise'> | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) };
}
