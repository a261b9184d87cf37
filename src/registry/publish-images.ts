import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Content } from '../model/content.js';
import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { contentOf } from '../model/image-manifest.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import { withAnnotations } from '../model/descriptor.js';
import { putManifest } from './manifests.js';
import { addReferrer } from './referrers.js';
import type { Repository } from './repository.js';

/** What is needed to publish images in a repository. */
export interface PublishContext {
  readonly repository: Repository;
  readonly provider: ContentProvider;
  /** The bytes of a document that was not sent yet. */
  readonly held: (digest: Digest) => Buffer | undefined;
  /** Whether the registry has a manifest or index. */
  readonly isHere: (digest: Digest) => Promise<boolean>;
  /** Sends a config or layer that was held. */
  readonly sendBlob: (content: Content) => Promise<void>;
  readonly tagOf: (record: ImageRecord) => string | undefined;
  /** The roots that tags have now. */
  readonly tagged: ReadonlyMap<string | undefined, Digest>;
}

/**
 * Sends the documents of images: children before their parents, roots without a tag, referrers after their subjects,
 * and the tags at the very end. What the registry has already is not sent again. A child that is neither held nor there
 * was left out on purpose; the registry may refuse the index for that.
 */
export async function publishImages(context: PublishContext, records: readonly ImageRecord[]): Promise<void> {
  const publisher = new Publisher(context);
  const images = records.filter((record) => subjectOf(record) === undefined);
  for (const { descriptor } of images) await publisher.sendChildren(descriptor);
  const untagged = images.filter((record) => context.tagOf(record) === undefined);
  for (const { descriptor } of untagged) await publisher.send(descriptor);
  const referrers = records.filter((record) => subjectOf(record) !== undefined);
  for (const record of referrers) await publisher.sendReferrer(record.descriptor);
  const tagged = images.filter((record) => context.tagOf(record) !== undefined);
  for (const record of tagged) await publisher.tag(record.descriptor, context.tagOf(record) ?? '');
}

class Publisher {
  readonly #context: PublishContext;
  readonly #documents: Documents;
  readonly #sent = new Set<Digest>();

  constructor(context: PublishContext) {
    this.#context = context;
    this.#documents = new Documents(context.provider, { limits: DEFAULT_LIMITS });
  }

  /** Sends a document by its digest, after its children. */
  async send(descriptor: Descriptor): Promise<void> {
    const { digest } = descriptor;
    if (this.#sent.has(digest)) return;
    this.#sent.add(digest);
    const bytes = this.#context.held(digest);
    if (bytes === undefined || (await this.#context.isHere(digest))) return;
    await this.sendChildren(descriptor);
    await this.#put(descriptor, digest, bytes);
  }

  /** Sends everything below a document that is held. */
  async sendChildren(descriptor: Descriptor): Promise<void> {
    if (this.#context.held(descriptor.digest) === undefined) return;
    const { mediaType } = descriptor;
    if (isIndexType(mediaType)) {
      const index = await this.#documents.index(descriptor);
      for (const child of index?.manifests ?? []) {
        if (isIndexType(child.mediaType) || isManifestType(child.mediaType)) await this.send(child);
        else await this.#context.sendBlob(child);
      }
    }
    if (!isManifestType(mediaType)) return;
    const manifest = await this.#documents.manifest(descriptor);
    for (const content of manifest === undefined ? [] : contentOf(manifest)) await this.#context.sendBlob(content);
  }

  async sendReferrer(listed: Descriptor): Promise<void> {
    const descriptor = withAnnotations(listed, { [ANNOTATIONS.subject]: undefined });
    await this.send(descriptor);
  }

  async tag(descriptor: Descriptor, tag: string): Promise<void> {
    const { digest } = descriptor;
    if (this.#context.tagged.get(tag) === digest) return;
    const bytes = this.#context.held(digest) ?? (await this.#documents.bytes(descriptor));
    if (bytes === undefined)
      throw new LadingError('ERR_BLOB_MISSING', `${digest} is not there to be tagged`, { details: { digest } });
    await this.#put(descriptor, tag, bytes);
  }

  async #put(descriptor: Descriptor, reference: string, bytes: Buffer): Promise<void> {
    const { repository } = this.#context;
    let outcome = await putManifest(repository, reference, { descriptor, bytes });
    if (!outcome.isTaken && outcome.missing !== undefined && this.#sent.has(outcome.missing)) {
      // A registry may know a new document a little later.
      outcome = await putManifest(repository, reference, { descriptor, bytes });
    }
    if (!outcome.isTaken) throw refusedFor(outcome.error, outcome.missing);
    const document = await this.#documents.document(descriptor);
    const subject = document?.subject?.digest;
    if (subject !== undefined && !outcome.subject)
      await addReferrer(repository, subject, referrerOf(descriptor, document));
  }
}

function refusedFor(error: LadingError, missing: Digest | undefined): LadingError {
  const details = { ...error.details, ...(missing !== undefined && { missing }) };
  return new LadingError(error.code, error.message, { cause: error, details });
}

/** The entry of a list of referrers: with the type and annotations of the document itself (distribution-spec). */
function referrerOf(
  { mediaType, digest, size }: Descriptor,
  document:
    | { readonly artifactType?: string; readonly config?: Descriptor; readonly annotations?: Descriptor['annotations'] }
    | undefined,
): Descriptor {
  const artifactType = document?.artifactType ?? document?.config?.mediaType;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(document?.annotations && { annotations: document.annotations }),
  };
}
