import { isDigest } from '../model/digest.js';
import type { ByteRange, Content } from '../model/content.js';
import { LadingError } from '../model/errors.js';
import { readAll } from '../content/check-document.js';
import { throwIfAborted } from '../model/aborted.js';
import type { Answer } from './answers.js';
import { readBlob } from './blob-reader.js';
import { heldBack } from './held-back.js';
import type { MirrorPlace, Mirrors } from './mirrors.js';
import { Repository, type RepositoryCall } from './repository.js';
import { askedWait } from './retry-policy.js';

/** A blob up to this size is checked as a whole before it is handed on, so that another place can take over. */
const WHOLE_BYTES = 1024 * 1024;

/** A repository of a mirror. Each request has one try: there are other places to ask. */
class MirrorRepository extends Repository {
  readonly #ns: string;
  override readonly isMirror = true;

  constructor(exchange: Repository['exchange'], { repository, of, ns }: MirrorPlace) {
    super(exchange, repository, 'pull');
    this.#ns = ns ? `?ns=${encodeURIComponent(of)}` : '';
  }

  /** A body that is cut goes on once, and again after each MiB. */
  override get attempts(): number {
    return 2;
  }

  override path(endpoint: string): string {
    return `${super.path(endpoint)}${this.#ns}`;
  }

  override async send(call: RepositoryCall): Promise<Answer> {
    return await super.send({ ...call, once: true });
  }
}

/**
 * Reads from the mirrors of a repository before the repository itself is asked. A mirror that fails is left out with a
 * warning, one that only lacks something without. Nothing of it is believed: documents are hashed by their reader, blobs
 * here. Its credentials are its own.
 */
export class Mirrored {
  readonly #mirrors: Mirrors | undefined;

  constructor(mirrors: Mirrors | undefined) {
    this.#mirrors = mirrors;
  }

  /** What the first mirror gives that has the manifest; undefined if none does. */
  async manifest<T>(
    repository: Repository,
    reference: string,
    ask: (mirror: Repository) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    for (const place of this.#placesOf(repository, isDigest(reference) ? 'digest' : 'tag')) {
      try {
        const found = await ask(new MirrorRepository(repository.exchange, place));
        if (found !== undefined) return found;
        this.#mirrors?.restRepository(place);
      } catch (error) {
        this.#leaveOut(repository, place, error);
      }
    }
    return undefined;
  }

  /**
   * The bytes of a blob: of a mirror, and where that ends, of the next place. What comes from a mirror is hashed; if it
   * is wrong, but was handed on, ERR_DIGEST_MISMATCH has the mirror in its details: a second reading asks another place.
   * A part of a blob cannot be checked, so the repository itself is asked for it. Holds up to 1 MiB.
   */
  async *blob(repository: Repository, content: Content, range?: ByteRange): AsyncGenerator<Buffer> {
    const isWhole = range === undefined || (range.start === 0 && range.end >= content.size);
    const places = isWhole ? this.#placesOf(repository, 'digest') : [];
    if (places.length === 0) yield* readBlob(repository, content, range);
    else if (content.size <= WHOLE_BYTES) yield await this.#small(repository, content, places);
    else yield* this.#large(repository, content, places);
  }

  async #small(repository: Repository, content: Content, places: readonly MirrorPlace[]): Promise<Buffer> {
    for (const place of places) {
      try {
        const mirror = new MirrorRepository(repository.exchange, place);
        return await readAll(heldBack(readBlob(mirror, content), content), content.size);
      } catch (error) {
        this.#leaveOut(repository, place, error);
      }
    }
    return await readAll(readBlob(repository, content), content.size);
  }

  async *#large(repository: Repository, content: Content, places: readonly MirrorPlace[]): AsyncGenerator<Buffer> {
    let last: MirrorPlace | undefined;
    let bytes = 0;
    const fromAll = this.#joined(repository, content, places, (place) => (last = place));
    try {
      for await (const chunk of heldBack(fromAll, content)) {
        bytes += chunk.length;
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      }
    } catch (error) {
      if (last === undefined || !isWrong(error)) throw error;
      this.#leaveOut(repository, last, error);
      const mirror = last.repository.host;
      const message = `${error.message}; ${bytes} bytes of it were used, and came from the mirror ${mirror}`;
      throw new LadingError(error.code, message, { cause: error, details: { ...error.details, mirror } });
    }
  }

  /** The bytes of the places one after another: each goes on where the one before has failed. */
  async *#joined(
    repository: Repository,
    content: Content,
    places: readonly MirrorPlace[],
    onMirror: (place: MirrorPlace) => void,
  ): AsyncGenerator<Buffer> {
    let at = 0;
    for (const place of places) {
      const mirror = new MirrorRepository(repository.exchange, place);
      try {
        for await (const chunk of readBlob(mirror, content, { start: at })) {
          onMirror(place);
          at += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        this.#leaveOut(repository, place, error);
      }
    }
    yield* readBlob(repository, content, { start: at });
  }

  #placesOf({ name }: Repository, asked: 'tag' | 'digest'): readonly MirrorPlace[] {
    return this.#mirrors?.placesOf(name, asked) ?? [];
  }

  /** Leaves a mirror out after a failure. Throws the error if this program is what ends. */
  #leaveOut({ exchange }: Repository, place: MirrorPlace, error: unknown): void {
    const { signal, now, onWarning } = exchange.settings;
    throwIfAborted(signal, 'the request');
    if (!(error instanceof LadingError)) throw error;
    // A mirror need not have everything.
    if (error.code === 'ERR_BLOB_MISSING' || error.code === 'ERR_IMAGE_UNKNOWN') return;
    const { retryAfter } = error.details;
    const isNew = this.#mirrors?.rest(place, typeof retryAfter === 'string' ? askedWait(retryAfter, now()) : undefined);
    // What went on beside it meets the same failure.
    if (isNew === true || isWrong(error))
      onWarning(`the mirror ${place.repository.host} of ${place.of} is left out for a while: ${error.message}`);
  }
}

/** Whether bytes came that are not those of the digest. */
function isWrong(error: unknown): error is LadingError {
  return error instanceof LadingError && error.code === 'ERR_DIGEST_MISMATCH';
}
