import { digestMismatch, sizeMismatch } from '../content/mismatch.js';
import type { Content } from '../model/content.js';
import { Digester, algorithmOf } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ExpectedContent, Ingest, IngestOutcome } from '../stores/store.js';
import type { BlobUploads, Upload, UploadPart } from './blob-upload.js';
import type { RegistrySettings } from './settings.js';
import { isWorthRetry, uploadBlob, waitOrThrow } from './upload-blob.js';

/** What an ingest needs of its session. */
export interface IngestContext {
  readonly uploads: BlobUploads;
  readonly settings: RegistrySettings;
  /** An upload of this blob that the registry has offered already. */
  readonly begun: Upload | undefined;
  /** Keeps a small document until it is known what it is. */
  readonly hold: (content: Content, bytes: Buffer) => Promise<void>;
  readonly stored: (content: Content) => void;
}

/** A piece of a larger blob that is sent at once, and again if it got lost. */
const PIECE_BYTES = 16 * 1024 * 1024;

/** What starts like a JSON object up to this size may be a document. */
const DOCUMENT_BYTES = 4 * 1024 * 1024;

/**
 * One blob on its way into a repository, whose bytes come once. Holds up to 16 MiB of it: a blob of that size is sent
 * in one request when it is known to be whole, a larger one in pieces, of which the last waits for the digest.
 */
export class RegistryIngest implements Ingest {
  readonly #context: IngestContext;
  readonly #expected: ExpectedContent | undefined;
  readonly #digester: Digester;
  readonly #hashesHere: boolean;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #sent = 0;
  #upload: Upload | undefined;
  #isPresent = false;
  #isOver = false;

  constructor(context: IngestContext, expected: ExpectedContent | undefined, digester: Digester | undefined) {
    this.#context = context;
    this.#expected = expected;
    this.#digester = digester ?? new Digester(expected && algorithmOf(expected.digest));
    this.#hashesHere = digester === undefined;
    this.#upload = context.begun;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#isOver) throw new LadingError('ERR_STORAGE_IO', 'this ingest is over; start a new one');
    if (this.#hashesHere) this.#digester.update(chunk);
    if (this.#isPresent) {
      this.#sent += chunk.length;
      return;
    }
    // Before this chunk: so the piece is never the last of the blob.
    if (this.#held >= PIECE_BYTES) await this.#sendPiece();
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  async commit(content: Content): Promise<IngestOutcome> {
    this.#isOver = true;
    const size = this.#sent + this.#held;
    if (size !== content.size) throw await this.#refuse(sizeMismatch(content, size));
    const actual = this.#digester.digest();
    if (actual !== content.digest) throw await this.#refuse(digestMismatch(content.digest, actual));
    if (this.#isDocument()) {
      await this.#context.hold(content, Buffer.concat(this.#chunks));
      this.#chunks = [];
      return 'stored';
    }
    const outcome = await this.#finish(content);
    this.#chunks = [];
    this.#context.stored(content);
    return outcome;
  }

  async abort(): Promise<void> {
    this.#isOver = true;
    this.#chunks = [];
    const upload = this.#upload;
    this.#upload = undefined;
    if (upload !== undefined) await this.#context.uploads.cancel(upload);
  }

  #isDocument(): boolean {
    const isManifest = this.#expected?.kind === 'manifest';
    const first = this.#chunks.find(({ length }) => length > 0)?.[0];
    return this.#sent === 0 && !this.#isPresent && this.#held <= DOCUMENT_BYTES && (isManifest || first === BRACE);
  }

  async #finish(content: Content): Promise<IngestOutcome> {
    if (this.#isPresent) return 'present';
    const { uploads, settings } = this.#context;
    const upload = this.#upload;
    this.#upload = undefined;
    if (this.#sent === 0)
      return await uploadBlob(uploads, settings, content, { open: this.#partOf(0).open, begun: upload });
    if (upload === undefined) throw new LadingError('ERR_STORAGE_IO', 'this ingest has no upload');
    await this.#finishPieces(upload, content);
    return 'stored';
  }

  async #finishPieces(first: Upload, content: Content): Promise<void> {
    const { uploads, settings } = this.#context;
    let [upload, at] = [first, this.#sent];
    for (let failed = 1; ; failed += 1) {
      try {
        return await uploads.finish(upload, content, this.#partOf(at - this.#sent), false);
      } catch (error) {
        if (isWorthRetry(error) && (await uploads.isHere(content))) return;
        const status = isWorthRetry(error) ? await uploads.status(upload) : undefined;
        if (status === undefined || status.received < this.#sent) throw await this.#lost(error, upload);
        [upload, at] = [status.upload, status.received];
        await waitOrThrow(error, failed, settings);
      }
    }
  }

  async #sendPiece(): Promise<void> {
    const upload = this.#upload ?? (await this.#context.uploads.begin(this.#expected?.digest));
    const end = this.#sent + this.#held;
    if (upload === undefined) this.#isPresent = true;
    else this.#upload = await this.#append(upload, end);
    [this.#sent, this.#held, this.#chunks] = [end, 0, []];
  }

  async #append(first: Upload, end: number): Promise<Upload> {
    const { uploads, settings } = this.#context;
    let [upload, at] = [first, this.#sent];
    for (let failed = 1; ; failed += 1) {
      // For an abort in the meantime.
      this.#upload = upload;
      try {
        return await uploads.append(upload, at, this.#partOf(at - this.#sent));
      } catch (error) {
        const status = isWorthRetry(error) ? await uploads.status(upload) : undefined;
        if (status === undefined || status.received < this.#sent || status.received > end)
          throw await this.#lost(error, upload);
        [upload, at] = [status.upload, status.received];
        if (at === end) return upload;
        await waitOrThrow(error, failed, settings);
      }
    }
  }

  /** What is held, from an offset on. */
  #partOf(offset: number): UploadPart {
    const chunks = this.#chunks;
    const open = async function* (): AsyncGenerator<Uint8Array> {
      let left = offset;
      for (const chunk of chunks) {
        const skipped = Math.min(left, chunk.length);
        left -= skipped;
        if (skipped < chunk.length) yield chunk.subarray(skipped);
      }
    };
    return { size: this.#held - offset, open };
  }

  /** The registry has forgotten what was sent, and the bytes of a pipe come only once. */
  async #lost(error: unknown, upload: Upload): Promise<unknown> {
    await this.#context.uploads.cancel(upload);
    if (!isWorthRetry(error) || !(error instanceof LadingError)) return error;
    const message = `${error.message}; the upload cannot go on, since a pipe is read only once: use a file, or run it again`;
    return new LadingError(error.code, message, { cause: error, details: error.details });
  }

  async #refuse(error: LadingError): Promise<LadingError> {
    await this.abort();
    return error;
  }
}

const BRACE = 0x7b;
