import pLimit from 'p-limit';
import type { FoundBlob, OpenOptions } from '../content/content-provider.js';
import { companionSubject } from '../model/companion-tag.js';
import type { ContentKind } from '../model/content.js';
import { isDigest, type Digest } from '../model/digest.js';
import type { Descriptor } from '../model/descriptor.js';
import { LadingError } from '../model/errors.js';
import { unnamed, type ImageRecord } from '../model/image-list.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { parseReference } from '../model/reference.js';
import { resolveRecords } from '../model/resolve-records.js';
import type { SourceReader, Store } from '../stores/store.js';
import { DocumentCache } from './document-cache.js';
import { LearnedContent } from './learned-content.js';
import type { Registries } from './registries.js';
import { nameOfRepository } from './registry-name.js';
import type { RegistrySource } from './registry-source.js';
import { StoreNames } from './store-names.js';
import { StoreSession } from './store-session.js';
import { listRepositories } from './tags.js';

/** How to keep a store in a registry. */
export interface RegistryStoreOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How long a list of images is used again, in milliseconds. Default 5 s. */
  readonly listMs?: number;
}

const LIST_MS = 5_000;

/** Repositories whose tags are asked for at once. */
const AT_ONCE = 8;

/**
 * A store that is a part of a registry: every image is a tag below a prefix, where other clients and other servers see
 * it too. It has no files, no leases and no collection of what is not needed, which the registry does itself. Names are
 * asked for when they are needed; the list of all images is used again for some seconds. Holds up to 64 MiB of
 * documents and a record for each of 200 000 blobs.
 */
export class RegistryStore implements Store {
  readonly #open: () => Registries;
  readonly #registries: Registries;
  readonly #names: StoreNames;
  readonly #options: RegistryStoreOptions;
  readonly #learned = new LearnedContent(DEFAULT_LIMITS, { forgets: true });
  readonly #cache = new DocumentCache();
  #listing: { readonly since: number; readonly records: Promise<readonly ImageRecord[]> } | undefined;
  /** What names meant when they were asked for since the list was made. */
  #seen = new Map<string, ImageRecord>();
  #merged: { readonly from: readonly ImageRecord[]; readonly records: readonly ImageRecord[] } | undefined;

  /** `open` makes the connections of one operation that writes; the store keeps one for all that reads. */
  constructor(open: () => Registries, names: StoreNames, options: RegistryStoreOptions) {
    this.#open = open;
    this.#registries = open();
    this.#names = names;
    this.#options = options;
  }

  close(): void {
    this.#registries.close();
  }

  /** The list, at most some seconds old, with what is known of single names since then. */
  async list(): Promise<readonly ImageRecord[]> {
    const from = await this.#listed();
    if (this.#seen.size === 0) return from;
    if (this.#merged?.from !== from) {
      const records = [
        ...from.filter(({ name }) => name === undefined || !this.#seen.has(name)),
        ...this.#seen.values(),
      ];
      this.#merged = { from, records };
    }
    return this.#merged.records;
  }

  async #listed(): Promise<readonly ImageRecord[]> {
    const { now, listMs = LIST_MS } = this.#options;
    const known = this.#listing;
    if (known !== undefined && now() - known.since < listMs) return await known.records;
    const listing = { since: now(), records: this.#readList() };
    this.#forgetList();
    this.#listing = listing;
    return await listing.records.catch((error: unknown) => {
      if (this.#listing === listing) this.#listing = undefined;
      throw error;
    });
  }

  /** The list as it is now. */
  async #listNow(): Promise<readonly ImageRecord[]> {
    this.#forgetList();
    return await this.list();
  }

  #forgetList(): void {
    this.#listing = undefined;
    this.#seen = new Map();
    this.#merged = undefined;
  }

  /** Notes what a name means now. */
  #note(record: ImageRecord): void {
    if (record.name === undefined) return;
    this.#seen.set(record.name, record);
    this.#merged = undefined;
  }

  async #readList(): Promise<readonly ImageRecord[]> {
    const { host, untagged } = this.#names;
    const paths = await listRepositories(this.#registries.repository({ host, path: '' }, 'pull'));
    if (paths === undefined)
      throw new LadingError(
        'ERR_STORE_UNSUPPORTED',
        `registry ${host} has no catalogue, so its images cannot be listed`,
      );
    const source = this.#source();
    const running = pLimit(AT_ONCE);
    const own = paths.filter((path) => path === untagged.path || this.#names.fromPath(path) !== undefined);
    const found = await Promise.all(own.map((path) => running(async () => await taggedIn(source, `${host}/${path}`))));
    return found.flat().flatMap((record) => this.#toOwn(record) ?? []);
  }

  /** A record of the registry as one of the store; undefined for content that is none of the store's. */
  #toOwn({ name = '', descriptor }: ImageRecord): ImageRecord | undefined {
    if (name.startsWith(`${nameOfRepository(this.#names.untagged)}:`)) return { descriptor };
    const own = this.#names.fromRegistry(name);
    return own === undefined ? undefined : { name: own, descriptor };
  }

  async resolve(texts: readonly string[]): Promise<readonly ImageRecord[]> {
    const found: ImageRecord[] = [];
    for (const text of texts) found.push(...((await this.#named(text)) ?? resolveRecords(await this.list(), text)));
    return found;
  }

  /** The images of a name, asked for at once; undefined for what may be an id. */
  async #named(text: string): Promise<readonly ImageRecord[] | undefined> {
    const seen = isDigest(text) && [...this.#seen.values()].find(({ descriptor }) => descriptor.digest === text);
    if (isDigest(text)) return seen ? [unnamed(seen)] : undefined;
    try {
      const reference = parseReference(text);
      const asked = this.#names.toRegistry(reference.toString());
      const found = (await this.#source().resolve([asked])).flatMap((record) => this.#toOwn(record) ?? []);
      for (const record of found) this.#note(record);
      return found;
    } catch (error) {
      // What is no name, or no name of an image, may be an id: the list says so, or what is wrong.
      if (error instanceof LadingError && ['not-found', 'invalid-argument'].includes(error.category)) return undefined;
      throw error;
    }
  }

  async holders(names: readonly string[]): Promise<ReadonlyMap<string, Digest>> {
    const records = await this.recordsNow(names);
    return new Map(records.map(({ name = '', descriptor }) => [name, descriptor.digest]));
  }

  /** The images that these names mean now. */
  async recordsNow(names: readonly string[]): Promise<readonly ImageRecord[]> {
    const source = this.#source();
    const found = names.map(async (name) => await taggedIn(source, this.#names.toRegistry(name)));
    return (await Promise.all(found)).flat().flatMap((record) => this.#toOwn(record) ?? []);
  }

  async referrersOf(subject: Digest): Promise<readonly Descriptor[]> {
    return await this.#source().referrersOf(subject);
  }

  async companionsOf(repository: string, subjects: ReadonlySet<Digest>): Promise<readonly ImageRecord[]> {
    const found = await this.#source().companionsOf(this.#names.toRegistry(repository), subjects);
    return found
      .flatMap((record) => this.#toOwn(record) ?? [])
      .filter((record) => companionSubject(record) !== undefined);
  }

  async stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined> {
    return await this.#source().stat(digest, kind);
  }

  open(digest: Digest, options: OpenOptions): AsyncIterable<Buffer> {
    return this.#source().open(digest, options);
  }

  async reader(): Promise<SourceReader> {
    return await this.#source().reader();
  }

  async session(): Promise<StoreSession> {
    return new StoreSession({
      registries: this.#open(),
      names: this.#names,
      store: this,
      listNow: async () => await this.#listNow(),
      recordsNow: async (names) => await this.recordsNow(names),
      repositoryOf: (digest) => this.#learned.repositoryOf(digest)?.name,
      onPublished: () => this.#forgetList(),
    });
  }

  // oxlint-disable-next-line require-yield -- there is nothing to give
  async *digests(): AsyncGenerator<Digest> {
    throw unsupported('lists no blobs');
  }

  async foreignFiles(): Promise<readonly string[]> {
    return [];
  }

  async prune(): Promise<never> {
    throw unsupported('removes what is not needed itself; see its manual for garbage collection');
  }

  async quarantine(): Promise<never> {
    throw unsupported('takes no damaged blobs aside');
  }

  async lost(): Promise<ReadonlySet<Digest>> {
    return new Set();
  }

  /** A source for one operation: it asks for a name once, knows what all of them have learned, and asks no mirrors. */
  #source(): RegistrySource {
    return this.#registries.source({ learned: this.#learned, cache: this.#cache, mirrors: undefined });
  }
}

/** The images of a name, or of every tag of a repository; none if there are none. */
async function taggedIn(source: RegistrySource, name: string): Promise<readonly ImageRecord[]> {
  try {
    return await source.resolve([name]);
  } catch (error) {
    if (error instanceof LadingError && error.code === 'ERR_IMAGE_UNKNOWN') return [];
    throw error;
  }
}

function unsupported(what: string): LadingError {
  return new LadingError('ERR_STORE_UNSUPPORTED', `this store is a registry, which ${what}`);
}
