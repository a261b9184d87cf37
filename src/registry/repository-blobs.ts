import { setTimeout as wait } from 'node:timers/promises';
import type { Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { BlobUploads, type Upload } from './blob-upload.js';
import { Repository } from './repository.js';

/** Waits between two looks for a blob at its home, in milliseconds. */
const FIRST_LOOK_MS = 250;
const LONGEST_LOOK_MS = 5000;

/** A blob that is in the repository. */
export interface BlobHere {
  readonly size: number;
  /** The repository of the same registry from which it was mounted just now. */
  readonly mountedFrom?: string;
}

/**
 * What a repository has of the blobs of one operation. What another repository of the same registry has is mounted;
 * what the registry offers instead of a mount is kept, so that no upload stays open. Holds one number for each blob.
 */
export class RepositoryBlobs {
  readonly #repository: Repository;
  readonly #uploads: BlobUploads;
  readonly #toldSizeOf: (digest: Digest) => number | undefined;
  readonly #here = new Map<Digest, number>();
  readonly #offered = new Map<Digest, Upload>();

  /** `toldSizeOf`: the size that a manifest tells of a blob; only such a blob is mounted. */
  constructor(repository: Repository, uploads: BlobUploads, toldSizeOf: (digest: Digest) => number | undefined) {
    this.#repository = repository;
    this.#uploads = uploads;
    this.#toldSizeOf = toldSizeOf;
  }

  /** The size of a blob that was seen in the repository, without asking. */
  sizeOf(digest: Digest): number | undefined {
    const { exchange, name } = this.#repository;
    return this.#here.get(digest) ?? exchange.memory.blobs.sizeIn(name.host, name.path, digest);
  }

  /** Notes that the repository has a blob. */
  note(content: Content): void {
    const { exchange, name } = this.#repository;
    this.#here.set(content.digest, content.size);
    exchange.memory.blobs.note(name.host, name.path, content);
  }

  /** Looks for a blob, and mounts it if another repository has it. */
  async find(digest: Digest): Promise<BlobHere | undefined> {
    const known = this.sizeOf(digest);
    if (known !== undefined) return { size: known };
    const found = (await this.#ask(digest)) ?? (await this.#mount(digest));
    if (found !== undefined) this.note({ digest, size: found.size });
    return found;
  }

  /**
   * Waits for a blob that another worker brings to its home, and mounts it. Undefined if it does not come: at last this
   * process has no patience left, since perhaps no other worker runs.
   */
  async waitForHome(content: Content): Promise<BlobHere | undefined> {
    const { exchange, name } = this.#repository;
    const { blobs } = exchange.memory;
    const home = blobs.homeOf(name.host, content.digest);
    if (home === undefined || home === name.path) return undefined;
    const uploads = new BlobUploads(new Repository(exchange, { host: name.host, path: home }, 'pull'));
    for (let ms = FIRST_LOOK_MS; blobs.patienceMs > 0; ms = Math.min(ms * 2, LONGEST_LOOK_MS)) {
      if (await uploads.isHere(content)) {
        blobs.renewPatience();
        return await this.#mountFrom(home, content);
      }
      blobs.spendPatience(ms);
      await wait(ms, undefined, { signal: exchange.settings.signal });
    }
    return undefined;
  }

  /** An upload that was offered before stays as it is: it is used if the registry offers another one now, too. */
  async #mountFrom(from: string, content: Content): Promise<BlobHere | undefined> {
    const offered = await this.#uploads.mount(content.digest, from);
    if (offered === 'refused') return undefined;
    if (offered !== undefined) {
      if (this.#offered.has(content.digest)) await this.#uploads.cancel(offered);
      else this.#offered.set(content.digest, offered);
      return undefined;
    }
    this.note(content);
    return { size: content.size, mountedFrom: from };
  }

  async #ask(digest: Digest): Promise<BlobHere | undefined> {
    const found = await this.#uploads.head(digest);
    if (found === undefined) return undefined;
    const size = found.size ?? this.#toldSizeOf(digest) ?? (await this.#uploads.sizeBehindRedirect(digest));
    return size === undefined ? undefined : { size };
  }

  async #mount(digest: Digest): Promise<BlobHere | undefined> {
    const size = this.#toldSizeOf(digest);
    if (size === undefined) return undefined;
    const { memory } = this.#repository.exchange;
    const { host } = this.#repository.name;
    for (const from of this.#lendersOf(digest)) {
      if (this.#offered.has(digest) || memory.lacks(host, 'mount', from)) continue;
      const offered = await this.#uploads.mount(digest, from);
      if (offered === 'refused') memory.note(host, 'mount', from);
      else if (offered === undefined) return { size, mountedFrom: from };
      else this.#offered.set(digest, offered);
    }
    return undefined;
  }

  /** Other repositories of the registry that may have the blob. */
  #lendersOf(digest: Digest): ReadonlySet<string> {
    const { exchange, name, sources } = this.#repository;
    const { blobs } = exchange.memory;
    const home = blobs.homeOf(name.host, digest) ?? name.path;
    const lenders = new Set([...sources, ...blobs.pathsWith(name.host, digest), home]);
    lenders.delete(name.path);
    return lenders;
  }

  /** An upload that the registry has offered instead of a mount. */
  takeOffer(digest: Digest): Upload | undefined {
    const offered = this.#offered.get(digest);
    this.#offered.delete(digest);
    return offered;
  }

  /** Gives up what the registry has offered. */
  async end(): Promise<void> {
    await Promise.all([...this.#offered.values()].map(async (upload) => await this.#uploads.cancel(upload)));
    this.#offered.clear();
  }
}
