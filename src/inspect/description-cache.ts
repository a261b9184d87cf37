import type { ContentProvider, FoundBlob, OpenOptions } from '../content/content-provider.js';
import type { ContentKind } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { memoryOf } from './memory-of.js';
import { CALLBACK, check, TEXT, wholeNumber } from '../model/rules.js';
import { PROVIDER } from '../stores/port-rules.js';

/** What a description was made of: every blob that was looked up. */
type Seen = ReadonlyMap<Digest, Look>;

/** One look-up of a blob: its kind, and its size if it was here. */
interface Look {
  readonly kind: ContentKind;
  readonly size: number | undefined;
}

interface Remembered<Value> {
  readonly value: Value;
  readonly seen: Seen;
  readonly bytes: number;
}

/** Default limit, in bytes of memory. */
const MAX_BYTES = 64 * 1024 * 1024;

const GET_ARGUMENTS = { key: TEXT, provider: PROVIDER, make: CALLBACK };

/**
 * Remembers values that were made from documents. A value holds as long as every blob that was looked up for it is
 * still here, or still absent. Content never changes under its digest, so a look-up is enough and nothing is read
 * again. Holds 64 MiB of values and texts, as the objects in memory are counted; the least recently used goes first.
 */
export class DescriptionCache<Value> {
  readonly #maxBytes: number;
  readonly #remembered = new Map<string, Remembered<Value>>();
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    check({ maxBytes: wholeNumber() }, { maxBytes });
    this.#maxBytes = maxBytes;
  }

  /** Returns the value remembered under the key if it still holds; else a new one, remembered if `isLasting`. */
  async get(
    key: string,
    provider: ContentProvider,
    make: (provider: ContentProvider) => Promise<{ readonly value: Value; readonly isLasting: boolean }>,
  ): Promise<Value> {
    check(GET_ARGUMENTS, { key, provider, make });
    const remembered = this.#take(key);
    if (remembered !== undefined && (await isSame(provider, remembered.seen))) {
      this.#put(key, remembered);
      return remembered.value;
    }
    const witness = new Witness(provider);
    const { value, isLasting } = await make(witness);
    if (isLasting && witness.isSteady) {
      // A value may hold parts of the texts that it was made of, and those keep the whole texts.
      const bytes = key.length + witness.bytes + memoryOf(value, this.#maxBytes);
      this.#put(key, { value, seen: witness.seen, bytes });
    }
    return value;
  }

  #take(key: string): Remembered<Value> | undefined {
    const remembered = this.#remembered.get(key);
    if (remembered === undefined) return undefined;
    this.#remembered.delete(key);
    this.#bytes -= remembered.bytes;
    return remembered;
  }

  #put(key: string, remembered: Remembered<Value>): void {
    // Another call may have stored the same key meanwhile.
    this.#take(key);
    this.#remembered.set(key, remembered);
    this.#bytes += remembered.bytes;
    for (const oldest of this.#remembered.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#take(oldest);
    }
  }
}

async function isSame(provider: ContentProvider, seen: Seen): Promise<boolean> {
  for (const [digest, { kind, size }] of seen) {
    if ((await provider.stat(digest, kind))?.size !== size) return false;
  }
  return true;
}

/** About how many bytes a record of one blob takes in memory. */
const RECORD_BYTES = 256;

/** Passes every call on, and notes what was looked up and how much was read. */
class Witness implements ContentProvider {
  readonly seen = new Map<Digest, Look>();
  readonly #provider: ContentProvider;
  #read = 0;
  #isSteady = true;

  constructor(provider: ContentProvider) {
    this.#provider = provider;
  }

  /** The bytes of the texts that were read, and about those of the records of blobs. */
  get bytes(): number {
    return this.#read + this.seen.size * RECORD_BYTES;
  }

  /** False if a blob came or went between two look-ups: then the value fits no single state of the store. */
  get isSteady(): boolean {
    return this.#isSteady;
  }

  async stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined> {
    const found = await this.#provider.stat(digest, kind);
    const before = this.seen.get(digest);
    if (before !== undefined && before.size !== found?.size) this.#isSteady = false;
    this.seen.set(digest, { kind, size: found?.size });
    return found;
  }

  async *open(digest: Digest, options: OpenOptions): AsyncGenerator<Buffer> {
    for await (const chunk of this.#provider.open(digest, options)) {
      this.#read += chunk.length;
      yield chunk;
    }
  }
}
