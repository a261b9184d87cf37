import { readAll } from '../content/check-document.js';
import type { ContentProvider, FoundBlob, OpenOptions } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { contentKindOf, type ContentKind } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { groupBy } from '../model/group-by.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import { parseReference } from '../model/reference.js';
import type { DestinationSession, ExpectedContent, ImageListChange, Ingest } from '../stores/store.js';
import { BlobUploads } from './blob-upload.js';
import { Manifests } from './manifests.js';
import { publishImages } from './publish-images.js';
import type { Registries } from './registries.js';
import { RegistrySession } from './registry-session.js';
import type { RepositoryName } from './registry-name.js';
import { removeTag } from './remove-tag.js';
import { firstOf, inMemory } from './providers.js';
import { RepositoryBlobs } from './repository-blobs.js';
import { tagOfUnnamed, type StoreNames } from './store-names.js';
import { uploadBlob } from './upload-blob.js';

/** What a session needs of its store. */
export interface StoreSessionContext {
  /** The connections of this session; it closes them. */
  readonly registries: Registries;
  readonly names: StoreNames;
  /** What the store has, by digest. */
  readonly store: ContentProvider;
  readonly listNow: () => Promise<readonly ImageRecord[]>;
  readonly recordsNow: (names: readonly string[]) => Promise<readonly ImageRecord[]>;
  /** A repository that has the content, as far as the store knows. */
  readonly repositoryOf: (digest: Digest) => RepositoryName | undefined;
  readonly onPublished: () => void;
}

/** Blobs of one load that go at once. */
const BLOB_JOBS = 4;

/**
 * One operation that writes to a store in a registry. Blobs arrive in one repository of the store; `publish` mounts them
 * into the repositories of the names, sends the documents, children first, and moves the tags last. So a session that
 * dies leaves nothing that a name shows. Holds the documents of the images.
 */
export class StoreSession implements DestinationSession {
  readonly #context: StoreSessionContext;
  readonly #arriving: RegistrySession;
  readonly #content: ContentProvider;

  constructor(context: StoreSessionContext) {
    this.#context = context;
    const repository = context.registries.repository(context.names.content, 'pull,push');
    this.#arriving = new RegistrySession(repository, {
      tagOf: publishesNothing,
      holders: publishesNothing,
      check: publishesNothing,
      blobJobs: BLOB_JOBS,
    });
    this.#content = firstOf(this.#arriving, context.store);
  }

  get copies(): RegistrySession['copies'] {
    return this.#arriving.copies;
  }

  get transfers(): RegistrySession['transfers'] {
    return this.#arriving.transfers;
  }

  async claim(): Promise<void> {}

  fileOf(): undefined {
    return undefined;
  }

  async stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined> {
    return await this.#arriving.stat(digest, kind);
  }

  open(digest: Digest, options: OpenOptions): AsyncIterable<Buffer> {
    return this.#arriving.open(digest, options);
  }

  async begin(expected: ExpectedContent | undefined, digester?: Digester): Promise<Ingest> {
    return await this.#arriving.begin(expected, digester);
  }

  /** Sends what the change adds, then removes the tags that it takes away. */
  async publish(change: ImageListChange): Promise<void> {
    const { before, after } = await this.#apply(change);
    const [old, now] = [new Set(before.map(keyOf)), new Set(after.map(keyOf))];
    const added = after.filter((record) => !old.has(keyOf(record)) && record.replaced === undefined);
    if (after.some(({ kept }) => kept !== undefined) && added.length === 0) throw keepsWholeImages();
    await this.#send(added);
    const names = new Set(after.map(({ name }) => name));
    const gone = before.filter(
      (record) => !now.has(keyOf(record)) && !(record.name !== undefined && names.has(record.name)),
    );
    for (const record of gone) await this.#remove(record);
    this.#context.onPublished();
  }

  /**
   * What only adds needs no list of all images: the names that it adds are asked for, as they are now. Everything else
   * works on the list.
   */
  async #apply(
    change: ImageListChange,
  ): Promise<{ readonly before: readonly ImageRecord[]; readonly after: readonly ImageRecord[] }> {
    const alone = resultOf(change, []);
    const before =
      alone.length > 0
        ? await this.#context.recordsNow([...new Set(alone.flatMap(({ name }) => name ?? []))])
        : await this.#context.listNow();
    return { before, after: change(before) };
  }

  async #send(records: readonly ImageRecord[]): Promise<void> {
    const images = records.filter((record) => subjectOf(record) === undefined);
    const referrers = records.filter((record) => subjectOf(record) !== undefined);
    const byPath = groupBy(images, (record) => this.#placeOf(record).path);
    const { host } = this.#context.names;
    for (const [path, own] of byPath) await this.#sendTo({ host, path }, own, referrers);
  }

  async #sendTo(
    place: RepositoryName,
    images: readonly ImageRecord[],
    referrers: readonly ImageRecord[],
  ): Promise<void> {
    const documents = new Map<Digest, Buffer>();
    for (const { descriptor } of images) await this.#collect(descriptor, documents);
    const own = referrers.filter((record) => isOneOf(documents, subjectOf(record)));
    for (const { descriptor } of own) await this.#collect(descriptor, documents);
    const lenders = new Set(
      images.flatMap(({ descriptor }) => this.#context.repositoryOf(descriptor.digest)?.path ?? []),
    );
    const repository = this.#context.registries.repository(place, 'pull,push', [
      this.#context.names.content.path,
      ...lenders,
    ]);
    const manifests = new Manifests(repository, DEFAULT_LIMITS.maxDocumentBytes);
    const uploads = new BlobUploads(repository);
    const sizes = new Map<Digest, number>();
    const blobs = new RepositoryBlobs(repository, uploads, (digest) => sizes.get(digest));
    try {
      await publishImages(
        {
          repository,
          provider: inMemory(documents),
          held: (digest) => documents.get(digest),
          isHere: async (digest) => (await manifests.headToReplace(digest)) !== undefined,
          sendBlob: async (content) => {
            sizes.set(content.digest, content.size);
            if ((await blobs.find(content.digest)) !== undefined) return;
            if ((await this.#content.stat(content.digest, 'blob')) === undefined) throw keepsWholeImages();
            const open = (): AsyncIterable<Buffer> => this.#content.open(content.digest, { kind: 'blob' });
            const begun = blobs.takeOffer(content.digest);
            await uploadBlob(uploads, repository.exchange.settings, content, { open, begun });
          },
          tagOf: ({ name, descriptor }) =>
            name === undefined ? tagOfUnnamed(descriptor.digest) : parseReference(name).tag,
          tagged: new Map(),
        },
        [...images, ...own],
      );
    } catch (error) {
      throw isForParts(error) ? keepsWholeImages(error) : error;
    } finally {
      await blobs.end();
    }
  }

  /** The documents of an image, as far as they are here. */
  async #collect(descriptor: Descriptor, found: Map<Digest, Buffer>): Promise<void> {
    const { digest, mediaType, size } = descriptor;
    if (found.has(digest) || contentKindOf(descriptor) !== 'manifest') return;
    if ((await this.#content.stat(digest, 'manifest')) === undefined) return;
    const bytes = await readAll(this.#content.open(digest, { kind: 'manifest' }), size + 1);
    found.set(digest, bytes);
    if (!isIndexType(mediaType)) return;
    const index = await new Documents(inMemory(found), { limits: DEFAULT_LIMITS }).index(descriptor);
    for (const child of index?.manifests ?? [])
      if (isIndexType(child.mediaType) || isManifestType(child.mediaType)) await this.#collect(child, found);
  }

  async #remove(record: ImageRecord): Promise<void> {
    const place = this.#placeOf(record);
    const { name, descriptor } = record;
    const tag = name === undefined ? tagOfUnnamed(descriptor.digest) : parseReference(name).tag;
    if (tag === undefined) return;
    const { registries } = this.#context;
    await removeTag(registries.repository(place, 'pull,push'), registries.repository(place, 'delete,pull'), tag);
  }

  #placeOf({ name }: ImageRecord): RepositoryName {
    const { names } = this.#context;
    return name === undefined ? names.untagged : names.repositoryOf(parseReference(name));
  }

  /** The registry removes what nothing needs, in its own time. */
  async discard(): Promise<readonly Digest[]> {
    return [];
  }

  async end(): Promise<void> {
    await this.#arriving.end();
    this.#context.registries.close();
  }
}

/** Where blobs arrive, nothing gets a tag. */
function publishesNothing(): never {
  throw new LadingError('ERR_STORE_UNSUPPORTED', 'nothing is published where blobs arrive');
}

function isOneOf(documents: ReadonlyMap<Digest, Buffer>, digest: Digest | undefined): boolean {
  return digest !== undefined && documents.has(digest);
}

function keyOf({ name, tag, descriptor }: ImageRecord): string {
  return `${name ?? ''} ${name === undefined ? (tag ?? '') : ''} ${descriptor.digest}`;
}

/** The result for a list; none if the change needs a record that is not in it. */
function resultOf(change: ImageListChange, records: readonly ImageRecord[]): readonly ImageRecord[] {
  try {
    return change(records);
  } catch (error) {
    if (error instanceof LadingError && error.category === 'not-found') return [];
    throw error;
  }
}

/** Whether the registry refused an index since it has not all that the index lists. */
function isForParts(error: unknown): boolean {
  return error instanceof LadingError && error.details['registryCode'] === 'MANIFEST_BLOB_UNKNOWN';
}

function keepsWholeImages(cause?: unknown): LadingError {
  const message =
    'this store is a registry, which keeps whole images: load or pull all platforms of the image, or one that was saved as an image of its own';
  return new LadingError('ERR_STORE_UNSUPPORTED', message, { cause });
}
