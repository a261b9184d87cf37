import pLimit from 'p-limit';
import { checkDocument, readAll } from '../content/check-document.js';
import type { FoundBlob, OpenOptions } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Content, ContentKind } from '../model/content.js';
import { isCompanionTag, companionSubject } from '../model/companion-tag.js';
import type { Descriptor } from '../model/descriptor.js';
import { isDigest, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { isImageConfigType } from '../model/media-types.js';
import type { Reference } from '../model/reference.js';
import type { ImageSource, SourceReader } from '../stores/store.js';
import { BlobUploads } from './blob-upload.js';
import { companionTags } from './companion-tags.js';
import { DocumentCache } from './document-cache.js';
import { LearnedContent } from './learned-content.js';
import { Manifests, type FetchedManifest } from './manifests.js';
import { Mirrored } from './mirrored.js';
import type { Mirrors } from './mirrors.js';
import { listReferrers, ofSubject, referrersTag } from './referrers.js';
import { missingContent, unknownImage } from './registry-errors.js';
import { nameOfRepository, parseRegistryReference, repositoryOf, type RepositoryName } from './registry-name.js';
import type { Repository } from './repository.js';
import { listTags } from './tags.js';

/** How to read from registries. */
export interface SourceOptions {
  readonly limits?: Partial<Limits>;
  /** Whether each config and layer is asked for before it counts as there. Without it what a manifest names counts. */
  readonly checkBlobs?: boolean;
  /** What other sources of the same registries have learned. */
  readonly learned?: LearnedContent;
  readonly cache?: DocumentCache;
  /** The registries that are asked first. Default: those of the settings. */
  readonly mirrors?: Mirrors | undefined;
}

/** How many documents and tags are asked for at once. */
const AT_ONCE = 8;

/**
 * Registries as a source of images. Tags are read once; everything below them is asked for by digest. Holds the
 * descriptor of each document and blob that was named so far, and up to 64 MiB of documents.
 */
export class RegistrySource implements ImageSource {
  readonly #repositoryOf: (name: RepositoryName) => Repository;
  readonly #limits: Limits;
  readonly #checksBlobs: boolean;
  readonly #cache: DocumentCache;
  readonly #learned: LearnedContent;
  readonly #mirrored: Mirrored;
  readonly #roots = new Map<Digest, ImageRecord>();
  readonly #records = new Map<string, Promise<ImageRecord | undefined>>();
  readonly #tags = new Map<string, Promise<readonly string[]>>();
  readonly #running = pLimit(AT_ONCE);

  constructor(openRepository: (name: RepositoryName) => Repository, options: SourceOptions = {}) {
    this.#repositoryOf = openRepository;
    this.#limits = limitsOf(options.limits);
    this.#checksBlobs = options.checkBlobs ?? false;
    this.#learned = options.learned ?? new LearnedContent(this.#limits);
    this.#cache = options.cache ?? new DocumentCache();
    this.#mirrored = new Mirrored(options.mirrors);
  }

  /**
   * The images of names. A name without tag and digest means every tag of the repository, except those of signatures,
   * attestations and lists of referrers, which go with their images.
   */
  async resolve(texts: readonly string[]): Promise<readonly ImageRecord[]> {
    const found: ImageRecord[] = [];
    for (const text of texts) found.push(...(isDigest(text) ? [this.#knownRoot(text)] : await this.#resolveName(text)));
    return found;
  }

  /** Takes a name, and what the image needs, as a plan has them: nothing is asked for that. */
  pin({ name = '', descriptor }: ImageRecord, blobs: readonly Content[] = []): void {
    const reference = parseRegistryReference(name);
    const repository = this.#repositoryOf(repositoryOf(reference));
    const record = { name: reference.toString(), descriptor };
    this.#records.set(record.name, Promise.resolve(record));
    this.#learned.add(descriptor, repository);
    for (const { digest, size } of blobs) this.#learned.add({ digest, size, mediaType: '' }, repository);
    if (!this.#roots.has(descriptor.digest)) this.#roots.set(descriptor.digest, record);
  }

  #knownRoot(digest: Digest): ImageRecord {
    const known = this.#roots.get(digest);
    if (known !== undefined) return known;
    const message = `${digest} needs the name of its repository: docker://HOST/NAME@${digest}`;
    throw new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image: digest } });
  }

  async #resolveName(text: string): Promise<readonly ImageRecord[]> {
    const reference = parseRegistryReference(text);
    if (reference.tag !== undefined || reference.digest !== undefined) {
      const record = await this.#recordOf(reference);
      if (record === undefined) throw unknownImage(reference);
      return [record];
    }
    const { host, path } = repositoryOf(reference);
    const tags = (await this.#tagsOf({ host, path })).filter((tag) => !isCompanionTag(tag));
    if (tags.length === 0) throw unknownImage(reference);
    const asked = tags.map((tag) =>
      this.#running(async () => await this.#recordOf(parseRegistryReference(`${host}/${path}:${tag}`))),
    );
    // A tag that was removed since the list was made is no image any more.
    return (await Promise.all(asked)).flatMap((record) => record ?? []);
  }

  /** What a name means, asked once: a tag that moves meanwhile does not move a plan. */
  async #recordOf(reference: Reference): Promise<ImageRecord | undefined> {
    const name = reference.toString();
    const asked = this.#records.get(name) ?? this.#findRecord(reference);
    this.#records.set(name, asked);
    try {
      return await asked;
    } catch (error) {
      this.#records.delete(name);
      throw error;
    }
  }

  async #findRecord(reference: Reference): Promise<ImageRecord | undefined> {
    const repository = this.#repositoryOf(repositoryOf(reference));
    const { tag, digest } = reference;
    const asked = digest ?? tag ?? '';
    const mirrored = await this.#fromMirrors(repository, asked);
    const descriptor = mirrored?.descriptor ?? (await this.#manifests(repository).head(asked));
    if (descriptor === undefined) return undefined;
    this.#learned.add(descriptor, repository);
    const name = reference.toString();
    const record = { name, descriptor };
    if (!this.#roots.has(descriptor.digest)) this.#roots.set(descriptor.digest, record);
    return record;
  }

  async #tagsOf(name: RepositoryName): Promise<readonly string[]> {
    const label = nameOfRepository(name);
    const listing = this.#tags.get(label) ?? listTags(this.#repositoryOf(name)).then((tags) => tags ?? []);
    this.#tags.set(label, listing);
    return await listing;
  }

  async referrersOf(subject: Digest): Promise<readonly Descriptor[]> {
    const repository = this.#learned.repositoryOf(subject);
    if (repository === undefined) return [];
    const listed = await listReferrers(repository, subject);
    for (const one of listed) this.#learned.add(one, repository);
    return await ofSubject(new Documents(this, { limits: this.#limits }), listed, subject);
  }

  async companionsOf(repository: string, subjects: ReadonlySet<Digest>): Promise<readonly ImageRecord[]> {
    const name = repositoryOf(parseRegistryReference(repository));
    const tags = await companionTags([...subjects].map(referrersTag), async () => await this.#tagsOf(name));
    const records = tags.map((tag) =>
      this.#running(async () => await this.#recordOf(parseRegistryReference(`${repository}:${tag}`))),
    );
    return (await Promise.all(records))
      .flatMap((record) => record ?? [])
      .filter((record) => companionSubject(record) !== undefined);
  }

  /** A manifest is fetched; of other content the registry's own manifests say that it is there. */
  async stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined> {
    if (kind === 'manifest') {
      const bytes = await this.#document(digest);
      return bytes && { size: bytes.length };
    }
    const size = this.#learned.sizeOf(digest);
    const repository = this.#learned.repositoryOf(digest);
    if (size === undefined || repository === undefined) return undefined;
    if (!this.#checksBlobs) return { size };
    return (await this.#running(async () => await new BlobUploads(repository).isHere({ digest, size })))
      ? { size }
      : undefined;
  }

  async *open(digest: Digest, { kind, range }: OpenOptions): AsyncGenerator<Buffer> {
    if (kind === 'manifest') {
      const bytes = await this.#document(digest);
      if (bytes === undefined) throw missingContent(digest);
      yield bytes.subarray(range?.start, range?.end);
      return;
    }
    const [size, repository] = [this.#learned.sizeOf(digest), this.#learned.repositoryOf(digest)];
    if (size === undefined || repository === undefined) throw missingContent(digest);
    const config = this.#cache.get(digest) ?? (await this.#config({ digest, size }, repository));
    if (config === undefined) yield* this.#mirrored.blob(repository, { digest, size }, range);
    else yield config.subarray(range?.start, range?.end);
  }

  async reader(): Promise<SourceReader> {
    return {
      claim: async () => {},
      stat: async (digest, kind) => await this.stat(digest, kind),
      open: (digest, options) => this.open(digest, options),
      fileOf: () => undefined,
      end: async () => {},
    };
  }

  /** A manifest or index, verified; its children are known from then on. */
  async #document(digest: Digest): Promise<Buffer | undefined> {
    const repository = this.#learned.repositoryOf(digest);
    return await this.#cache.read(digest, async () => repository && (await this.#fetch(repository, digest)));
  }

  async #fetch(repository: Repository, digest: Digest): Promise<Buffer | undefined> {
    return await this.#running(async () => {
      const mirrored = await this.#fromMirrors(repository, digest);
      const fetched = mirrored ?? (await this.#manifests(repository).get(digest));
      if (mirrored === undefined && fetched !== undefined) await this.#learn(fetched, repository);
      return fetched?.bytes;
    });
  }

  async #learn({ bytes, descriptor }: FetchedManifest, repository: Repository): Promise<void> {
    await this.#learned.learn(descriptor, bytes, repository);
    this.#cache.add(descriptor.digest, bytes);
  }

  /** A config is read several times, so its bytes are kept; undefined for other blobs. */
  async #config(
    content: { readonly digest: Digest; readonly size: number },
    repository: Repository,
  ): Promise<Buffer | undefined> {
    const mediaType = this.#learned.typeOf(content.digest) ?? '';
    if (!isImageConfigType(mediaType) || content.size > this.#limits.maxDocumentBytes) return undefined;
    const bytes = await readAll(this.#mirrored.blob(repository, content), content.size);
    this.#cache.add(content.digest, checkDocument(bytes, { ...content, mediaType }));
    return bytes;
  }

  /** A mirror is asked for the document itself: the hash of its bytes is what can be believed. */
  async #fromMirrors(repository: Repository, reference: string): Promise<FetchedManifest | undefined> {
    const found = await this.#mirrored.manifest(repository, reference, async (mirror) =>
      this.#manifests(mirror).get(reference),
    );
    if (found !== undefined) await this.#learn(found, repository);
    return found;
  }

  #manifests(repository: Repository): Manifests {
    return new Manifests(repository, this.#limits.maxDocumentBytes);
  }
}
