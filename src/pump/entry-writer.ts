import { closeSync } from 'node:fs';
import { digestMismatch } from '../content/mismatch.js';
import { TAR_END_BYTES, tarEntryBytes } from '../model/archive-layout.js';
import { algorithmOf, digestOf } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { paddingOf, TAR_BLOCK } from '../model/tar-header.js';
import { writeTarHeader, type TarHeaderFields } from '../model/tar-writer.js';
import { checkBody, openBody, readFully } from './bodies.js';
import type { GatheredOutput } from './gathered-output.js';
import { unpackEntries } from './packed-entries.js';
import { isLarge, SMALL_BYTES, type BlobEntry, type PackedEntries } from './pump-tasks.js';

/** How the thread writes a body that is large. */
export type WriteLarge = (entry: BlobEntry) => void;

/** Writes entries as a tar. Small bodies are read, hashed and packed here. Holds nothing beside the output. */
export class EntryWriter {
  readonly #output: GatheredOutput;

  constructor(output: GatheredOutput) {
    this.#output = output;
  }

  /** Writes the whole archive, once all its files were looked at. Throws ERR_ABORTED if it was stopped before. */
  writeAll(entries: PackedEntries, writeLarge: WriteLarge, isStopped: () => boolean): void {
    checkAll(entries, isStopped);
    for (const entry of unpackEntries(entries)) {
      if ('bytes' in entry) this.#writeBytes(entry, entry.bytes);
      else if (isLarge(entry)) writeLarge(entry);
      else this.#writeSmall(entry);
    }
    this.#output.take(TAR_END_BYTES, TAR_END_BYTES).fill(0);
    this.#output.flush();
  }

  takeHeader(entry: TarHeaderFields): void {
    writeTarHeader(this.#output.take(TAR_BLOCK, TAR_BLOCK), entry);
  }

  /** Room for the last block of a body, and its padding. */
  takeEnd(size: number): Buffer {
    const end = this.#output.take(TAR_BLOCK + paddingOf(size), 0);
    return end.fill(0, TAR_BLOCK).subarray(0, TAR_BLOCK);
  }

  /** The header, and the room for body and padding behind it. A cut before the last block of the body shows. */
  #takeEntry(entry: TarHeaderFields): Buffer {
    const { size } = entry;
    const free = size === 0 ? 0 : TAR_BLOCK + Math.max(0, size - TAR_BLOCK);
    const taken = this.#output.take(tarEntryBytes(entry.name, size), free);
    writeTarHeader(taken, entry);
    taken.fill(0, TAR_BLOCK + size);
    return taken;
  }

  #writeSmall(entry: BlobEntry): void {
    const { digest, size } = entry;
    const fd = openBody(entry);
    try {
      const body = this.#takeEntry(entry).subarray(TAR_BLOCK, TAR_BLOCK + size);
      readFully(fd, body, 0, entry);
      const actual = digestOf(body, algorithmOf(digest));
      if (actual !== digest) throw digestMismatch(digest, actual);
    } finally {
      closeSync(fd);
    }
  }

  /** Documents that the plan made may be larger than the buffer. */
  #writeBytes(entry: TarHeaderFields, bytes: Uint8Array): void {
    if (bytes.length <= SMALL_BYTES) return this.#takeEntry(entry).set(bytes, TAR_BLOCK);
    this.takeHeader(entry);
    const end = bytes.length - TAR_BLOCK;
    for (let at = 0; at < end;) {
      const piece = this.#output.takeSome(end - at);
      piece.set(bytes.subarray(at, at + piece.length));
      at += piece.length;
    }
    this.takeEnd(bytes.length).set(bytes.subarray(end));
  }
}

/** Before the first byte, so that an archive that cannot be whole is not begun. */
function checkAll(entries: PackedEntries, isStopped: () => boolean): void {
  for (const entry of unpackEntries(entries)) {
    if (isStopped()) throw notWritten();
    if ('file' in entry) checkBody(entry);
  }
}

/** Never shown: another thread says why, or the pump was stopped. */
export function notWritten(): LadingError {
  return new LadingError('ERR_ABORTED', 'writing the archive was aborted');
}
