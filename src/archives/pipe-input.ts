import { writeBlobBytes } from '../files/write-blob-bytes.js';

/** So few bytes are read to be passed over, with others behind them: one message to the thread for each takes longer. */
const SMALL_BYTES = 256 * 1024;

/** Where the bytes come from: a pipe, or a stream. One call at a time. */
export interface PieceReader {
  /** The next bytes; none at the end of the input. */
  readonly read: () => Promise<Buffer>;
  /** Writes the next bytes to an open file. Returns how many: fewer if the input ended. */
  readonly pour: (target: number, bytes: number) => Promise<number>;
  /** Passes over the next bytes. Returns how many: fewer if the input ended. */
  readonly skip: (bytes: number) => Promise<number>;
  /** How many bytes the call under way has poured or skipped so far. */
  readonly moved: number;
  /** Lets the call under way, and every later one, end with ERR_ABORTED. */
  readonly stop: () => void;
}

const NOTHING = Buffer.alloc(0);

/** The bytes of a pipe or a stream in pieces of any size. Holds the chunk that was read last, up to 1 MiB. */
export class PipeInput {
  readonly #reader: PieceReader;
  /** Bytes that were read and not taken yet. */
  #read: Buffer = NOTHING;
  #isOver = false;

  constructor(reader: PieceReader) {
    this.#reader = reader;
  }

  /** The next bytes, which stay: as many as that, or all if the input is shorter. */
  async peek(bytes: number): Promise<Buffer> {
    while (this.#read.length < bytes && !this.#isOver) {
      const chunk = await this.#next();
      this.#read = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk]);
    }
    return this.#read.subarray(0, bytes);
  }

  /** The next bytes: as many as that, or all if the input is shorter. */
  async take(bytes: number): Promise<Buffer> {
    await this.peek(bytes);
    return this.#cut(bytes);
  }

  /** The next bytes, if as many as that were read already. */
  takeRead(bytes: number): Buffer | undefined {
    return bytes <= this.#read.length ? this.#cut(bytes) : undefined;
  }

  /** Some of the next bytes, at most `max`; none at the end of the input. */
  async takeSome(max: number): Promise<Buffer> {
    if (this.#read.length === 0 && !this.#isOver) this.#read = await this.#next();
    return this.#cut(max);
  }

  /** All bytes that are left. */
  async *rest(): AsyncGenerator<Buffer> {
    for (let chunk = await this.takeSome(Infinity); chunk.length > 0; chunk = await this.takeSome(Infinity))
      yield chunk;
  }

  /** Writes the next bytes to an open file. Returns how many: fewer if the input ended. */
  async pour(target: number, bytes: number): Promise<number> {
    const first = this.#cut(bytes);
    writeBlobBytes(target, first);
    return first.length + (bytes > first.length ? await this.#reader.pour(target, bytes - first.length) : 0);
  }

  /** Passes over the next bytes. Returns how many: fewer if the input ended. */
  async skip(bytes: number): Promise<number> {
    const first = this.#cut(bytes).length;
    if (bytes - first > SMALL_BYTES) return first + (await this.#reader.skip(bytes - first));
    let skipped = first;
    while (skipped < bytes && !this.#isOver) skipped += (await this.takeSome(bytes - skipped)).length;
    return skipped;
  }

  /** How many bytes the call under way has poured or skipped so far. */
  get moved(): number {
    return this.#reader.moved;
  }

  /** Lets a call under way end with ERR_ABORTED. */
  stop(): void {
    this.#reader.stop();
  }

  async #next(): Promise<Buffer> {
    const chunk = await this.#reader.read();
    this.#isOver = chunk.length === 0;
    return chunk;
  }

  #cut(bytes: number): Buffer {
    const first = this.#read.subarray(0, bytes);
    this.#read = this.#read.subarray(first.length);
    return first;
  }
}
