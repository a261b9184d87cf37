import { Duplex } from 'node:stream';
import type { Readable } from 'streamx';
import { extract, type Extract, type Header } from 'tar-stream';
import { LadingError, quote } from '../model/errors.js';
import type { ArchiveEntry, Body } from './records.js';

/** Takes headers without a magic (v7), too; the types of tar-stream lack this option. */
const OPTIONS: Parameters<typeof extract>[0] & { readonly allowUnknownFormat: true } = { allowUnknownFormat: true };

/** tar-stream's name of each type that TarGuard accepts. */
const TYPES: Readonly<Record<string, ArchiveEntry['type']>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'link',
};

/**
 * Tar bytes to entries, one open body at a time: the next entry comes after the body before it was read to its end.
 * Must follow TarGuard, which checks the headers. Holds the chunk that is being read.
 */
export class TarExtract extends Duplex {
  readonly #extract: Extract = extract(OPTIONS);
  #hasRoom = true;
  /** Starts the next entry; set while the reader has not yet taken the one before it. */
  #next: (() => void) | undefined;

  constructor() {
    super({ readableObjectMode: true, readableHighWaterMark: 1 });
    this.#extract.on('error', (error: Error) => this.destroy(asArchiveError(error)));
    this.#extract.on('finish', () => this.push(null));
    this.#extract.on('entry', (header, source, next) => {
      // Without this listener, destroying the extract would crash the process. The body's reader still gets the error.
      source.on('error', () => {});
      source.on('close', () => this.#advance(next));
      this.#emitEntry(header, source);
    });
  }

  override _read(): void {
    this.#hasRoom = true;
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    if (this.#extract.write(chunk)) callback();
    else this.#extract.once('drain', callback);
  }

  override _final(callback: () => void): void {
    this.#extract.end(undefined);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#extract.destroy(error ?? undefined);
    callback(error);
  }

  /** Called when an entry ends. Waits for the reader, also after entries without a body: there may be thousands. */
  #advance(next: () => void): void {
    if (this.#hasRoom) next();
    else this.#next = next;
  }

  #emitEntry(header: Header, source: Readable): void {
    // Of the types that tar-stream has no name for, TarGuard accepts only volume labels, which have no body.
    if ((header.type as string | null) === null && header.size === 0) return void source.resume();
    const type = TYPES[header.type];
    if (type === undefined) {
      this.destroy(new LadingError('ERR_TAR_ENTRY', `the archive has an entry of type ${quote(header.type)}`));
      return;
    }
    const { name, size, linkname } = header;
    if (type !== 'file') source.resume();
    this.#hasRoom = this.push({
      name,
      type,
      size,
      ...(linkname && { linkname }),
      body: type === 'file' ? source : NOTHING,
    });
  }
}

/** The body of an entry that is not a file. */
const NOTHING: Body = {
  async *[Symbol.asyncIterator]() {},
};

function asArchiveError(cause: Error): LadingError {
  return new LadingError('ERR_TAR_HEADER', `the archive cannot be read: ${cause.message}`, { cause });
}
