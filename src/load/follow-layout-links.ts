import { isBlobFolder, isOfLayout, withoutLayoutLinks } from '../archives/linked-entries.js';
import { checkLayoutDocumentSize, readAll } from '../content/check-document.js';
import { parseLayoutIndex, parseThinList } from '../content/parse-document.js';
import { DamagedBlobs } from '../content/damaged-blobs.js';
import { bodyOf } from '../flow/bodies.js';
import { digestOfEntry, INDEX_ENTRY, LAYOUT_ENTRY, THIN_ENTRY, THIN_INDEX_ENTRY } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import { type Digest } from '../model/digest.js';
import { badEntry } from '../model/entry-name.js';
import { isDamage, quote, type LadingError } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import type { ArchiveContents, ArchiveFile } from '../stages/records.js';
import type { SelectEntries } from '../stages/select-entries.js';
import type { DestinationSession } from '../stores/store.js';
import { storeBlob } from './store-bytes.js';

/** What became of an entry, and what to do. */
export const PASSED_BY =
  'came before it and was not kept: what comes through a pipe or is packed can be read only once; ' +
  'load it from a folder, or from a tar file that is not packed';

/** What the selection of the entries knows, and the limits for documents. */
export interface FollowOptions {
  readonly limits: Limits;
  readonly select: Pick<SelectEntries, 'wants' | 'descriptorOf'>;
}

/**
 * The contents of an archive that was read as a stream, with the documents and blobs of its layout that are links, or lie
 * in linked folders. Every file that may be behind one was kept while it passed. Stores the blobs that the load may need. A link to a
 * file that was not kept is the damage of its blob. Throws ERR_TAR_ENTRY, ERR_ARCHIVE_FORMAT, ERR_LIMIT_DOCUMENT.
 */
export async function followLayoutLinks(
  session: DestinationSession,
  contents: ArchiveContents,
  options: FollowOptions,
): Promise<ArchiveContents> {
  const links = [...contents.links.keys()];
  if (!links.some((name) => isOfLayout(name) || isBlobFolder(name))) return contents;
  const follower = new Follower(session, contents, options);
  const found = withoutLayoutLinks(await follower.entries(), contents);
  for (const { name, file } of found) if (file !== undefined && isOfLayout(name)) await follower.take(name, file);
  const names = new Set(found.map(({ name }) => name));
  for (const name of links) if (isOfLayout(name) && !names.has(name)) follower.miss(name);
  return follower.contents();
}

/** A file or link of the archive, as `withoutLayoutLinks` wants it. */
interface Passed {
  readonly name: string;
  readonly type: 'file' | 'link';
  readonly linkname?: string;
  readonly file?: ArchiveFile;
}

class Follower {
  readonly #session: DestinationSession;
  readonly #contents: ArchiveContents;
  readonly #options: FollowOptions;
  readonly #documents: { -readonly [Key in 'layout' | 'index' | 'manifestJson' | 'thin']?: ArchiveContents[Key] } = {};
  readonly #damaged = new DamagedBlobs();

  constructor(session: DestinationSession, contents: ArchiveContents, options: FollowOptions) {
    this.#session = session;
    this.#contents = contents;
    this.#options = options;
  }

  /** The links, and the files that they may lead to. */
  async entries(): Promise<readonly Passed[]> {
    const entries: Passed[] = [];
    for (const [name, file] of this.#contents.files) entries.push({ name, type: 'file', file });
    for (const [name, linkname] of this.#contents.links) {
      entries.push({ name, type: 'link', linkname });
      const target = followLinks(name, this.#contents);
      const digest = digestOfEntry(target);
      const blob = digest && (await this.#session.stat(digest, 'blob'));
      if (digest && blob) entries.push({ name: target, type: 'file', file: { digest, size: blob.size } });
    }
    return entries;
  }

  /** Takes a document, or stores a blob, that is behind a link. */
  async take(name: string, file: ArchiveFile): Promise<void> {
    const digest = digestOfEntry(name);
    if (digest !== undefined) return await this.#takeBlob(digest, file);
    checkLayoutDocumentSize(name, file.size, this.#options.limits);
    await this.#takeDocument(name, await readAll(this.#bodyOf(file), file.size));
  }

  /** A link to nothing counts as absent. */
  miss(name: string): void {
    const { select } = this.#options;
    const target = followLinks(name, this.#contents);
    if (this.#contents.hasLeft?.(target) !== true) return;
    const digest = digestOfEntry(name);
    const error = passedBy(name, target);
    if (digest === undefined) throw error;
    this.#damaged.add(digest, select.descriptorOf(digest)?.size ?? 0, error.code, () => error);
  }

  /** A document of the archive itself comes before one behind a link: the ledger refuses an archive with both. */
  contents(): ArchiveContents {
    const damaged = new Map([...this.#contents.damaged, ...this.#damaged.blobs]);
    return { ...this.#documents, ...this.#contents, damaged };
  }

  async #takeDocument(name: string, bytes: Buffer): Promise<void> {
    const { limits } = this.#options;
    if (name === INDEX_ENTRY || name === THIN_INDEX_ENTRY)
      this.#documents.index = await parseLayoutIndex(bytes, limits);
    else if (name === THIN_ENTRY) this.#documents.thin = await parseThinList(bytes, limits);
    else if (name === LAYOUT_ENTRY) this.#documents.layout = bytes;
    else this.#documents.manifestJson = bytes;
  }

  async #takeBlob(digest: Digest, file: ArchiveFile): Promise<void> {
    if (!this.#options.select.wants(digest) || (await this.#session.stat(digest, 'blob')) !== undefined) return;
    try {
      await storeBlob(this.#session, this.#contents, { digest, size: file.size, kind: 'blob' }, this.#bodyOf(file));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#damaged.add(digest, file.size, error.code, () => error);
    }
  }

  #bodyOf({ digest, bytes }: ArchiveFile): AsyncIterable<Uint8Array> {
    return bytes === undefined ? this.#session.open(digest, { kind: 'blob' }) : bodyOf(bytes);
  }
}

function passedBy(name: string, target: string): LadingError {
  return badEntry(name, `is a link to ${quote(target)}, which ${PASSED_BY}`);
}
