import pLimit from 'p-limit';
import { readAll } from '../content/check-document.js';
import type { FoundBlob, OpenOptions } from '../content/content-provider.js';
import type { FilePart, PouredPart } from '../files/file-part.js';
import { readFileChunks } from '../files/read-file.js';
import type { Content, ContentKind } from '../model/content.js';
import type { Digest, Digester } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import type {
  DestinationSession,
  ExpectedContent,
  ImageListChange,
  Ingest,
  IngestOutcome,
  PartCopies,
  Transfers,
} from '../stores/store.js';
import { readBlob } from './blob-reader.js';
import { BlobUploads } from './blob-upload.js';
import { HeldDocuments } from './held-documents.js';
import { Manifests } from './manifests.js';
import { publishImages, type PublishContext } from './publish-images.js';
import { RegistryIngest } from './registry-ingest.js';
import type { Repository } from './repository.js';
import { RepositoryBlobs } from './repository-blobs.js';
import { uploadBlob } from './upload-blob.js';

/** How a session publishes: the tags that names get, and what the tags have now. */
export interface PublishRules {
  readonly tagOf: (record: ImageRecord) => string | undefined;
  readonly holders: () => readonly ImageRecord[];
  /** Refuses what the destination cannot name. */
  readonly check: (records: readonly ImageRecord[]) => void;
  readonly blobJobs: number;
}

/** Small content of an archive is sent from memory, so that it can be told from documents. */
const SMALL_BYTES = 4 * 1024 * 1024;

/**
 * One operation that writes to a repository. Blobs are uploaded as they come; documents wait until `publish` sends them,
 * children first and tags last, so that no tag ever names something incomplete. Holds documents, and one number for
 * each blob.
 */
export class RegistrySession implements DestinationSession {
  readonly #repository: Repository;
  readonly #rules: PublishRules;
  readonly #uploads: BlobUploads;
  readonly #manifests: Manifests;
  readonly #held = new HeldDocuments();
  readonly #manifestsHere = new Map<Digest, number>();
  readonly #blobs: RepositoryBlobs;
  readonly #running: ReturnType<typeof pLimit>;

  constructor(repository: Repository, rules: PublishRules) {
    this.#repository = repository;
    this.#rules = rules;
    this.#uploads = new BlobUploads(repository);
    this.#blobs = new RepositoryBlobs(repository, this.#uploads, (digest) => this.#held.sizeOf(digest));
    this.#manifests = new Manifests(repository, DEFAULT_LIMITS.maxDocumentBytes);
    this.#running = pLimit(rules.blobJobs);
  }

  /** Nothing can be made safe in a registry. */
  async claim(): Promise<void> {}

  fileOf(): undefined {
    return undefined;
  }

  /** The content in the repository. What another repository of the same registry has is mounted first. */
  async stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined> {
    const held = this.#held.get(digest);
    if (held !== undefined) return { size: held.length };
    if (kind === 'manifest') return await this.#statManifest(digest);
    return await this.#blobs.find(digest);
  }

  async #statManifest(digest: Digest): Promise<FoundBlob | undefined> {
    const size = this.#manifestsHere.get(digest) ?? (await this.#manifests.headToReplace(digest))?.size;
    if (size === undefined) return undefined;
    this.#manifestsHere.set(digest, size);
    return { size };
  }

  async *open(digest: Digest, { kind, range }: OpenOptions): AsyncGenerator<Buffer> {
    const held =
      this.#held.get(digest) ?? (kind === 'manifest' ? (await this.#manifests.get(digest))?.bytes : undefined);
    if (held !== undefined) {
      yield held.subarray(range?.start, range?.end);
      return;
    }
    const size = (await this.stat(digest, kind))?.size;
    if (size === undefined || kind === 'manifest') {
      const message = `registry ${this.#repository.name.host}: ${digest} is not in ${this.#repository.label}`;
      throw new LadingError('ERR_BLOB_MISSING', message, { details: { digest } });
    }
    yield* readBlob(this.#repository, { digest, size }, range);
  }

  async begin(expected: ExpectedContent | undefined, digester?: Digester): Promise<Ingest> {
    const begun = expected && this.#blobs.takeOffer(expected.digest);
    const context = {
      uploads: this.#uploads,
      settings: this.#repository.exchange.settings,
      begun,
      hold: async (content: Content, bytes: Buffer) => await this.#held.hold(content, bytes),
      stored: (content: Content) => this.#blobs.note(content),
    };
    return new RegistryIngest(context, expected, digester);
  }

  /** Whoever transfers a blob knows that it is none of the documents. */
  readonly transfers: Transfers = {
    transfer: async (expected, open) =>
      await this.#running(async () => {
        if (expected.kind === 'manifest') return await this.#ingestAll(expected, open);
        const found = await this.#blobs.waitForHome(expected);
        return found === undefined ? await this.#upload(expected, open) : 'present';
      }),
  };

  async #copyPart(part: FilePart | PouredPart, expected: ExpectedContent): Promise<IngestOutcome> {
    const isSmall = expected.kind === 'manifest' || expected.size <= SMALL_BYTES;
    return isSmall
      ? await this.#ingestAll(expected, () => bytesOf(part))
      : await this.#upload(expected, () => bytesOf(part));
  }

  async #upload({ digest, size }: Content, open: () => AsyncIterable<Uint8Array>): Promise<IngestOutcome> {
    const { settings } = this.#repository.exchange;
    const begun = this.#blobs.takeOffer(digest);
    const outcome = await uploadBlob(this.#uploads, settings, { digest, size }, { open, begun });
    this.#blobs.note({ digest, size });
    return outcome;
  }

  async #ingestAll(expected: ExpectedContent, open: () => AsyncIterable<Uint8Array>): Promise<IngestOutcome> {
    const ingest = await this.begin(expected);
    try {
      await ingest.write(await readAll(open(), expected.size + 1));
      return await ingest.commit(expected);
    } catch (error) {
      await ingest.abort();
      throw error;
    }
  }

  readonly copies: PartCopies = {
    pours: false,
    copy: async (part, expected) => await this.#running(async () => await this.#copyPart(part, expected)),
    end: async () => {},
  };

  /** Sends the documents of the images that the change adds, children first, then moves the tags. */
  async publish(change: ImageListChange): Promise<void> {
    const before = this.#rules.holders();
    const known = new Set(before);
    const added = change(before).filter((record) => !known.has(record) && record.replaced !== true);
    this.#rules.check(added.filter((record) => subjectOf(record) === undefined));
    const context: PublishContext = {
      repository: this.#repository,
      provider: this,
      held: (digest) => this.#held.get(digest),
      isHere: async (digest) => (await this.#statManifest(digest)) !== undefined,
      sendBlob: async (content) => await this.#sendHeld(content),
      tagOf: this.#rules.tagOf,
      tagged: new Map(before.map((record) => [this.#rules.tagOf(record), record.descriptor.digest])),
    };
    await publishImages(context, added);
  }

  /** Nothing was tagged, so nothing is to be taken back. */
  async discard(): Promise<readonly Digest[]> {
    return [];
  }

  async end(): Promise<void> {
    await this.#blobs.end();
  }

  /** Uploads what waited as a document, and is a config or a layer. */
  async #sendHeld(content: Content): Promise<void> {
    const bytes = this.#held.get(content.digest);
    if (bytes === undefined) return;
    if ((await this.#blobs.find(content.digest)) !== undefined) return;
    await this.#upload(content, async function* () {
      yield bytes;
    });
  }
}

function bytesOf(part: FilePart | PouredPart): AsyncIterable<Uint8Array> {
  if ('file' in part) return readFileChunks(part.file, { start: part.start, end: part.start + part.size });
  throw new LadingError('ERR_OPTION_INVALID', 'a registry takes no poured blobs; pass their bytes through begin');
}
