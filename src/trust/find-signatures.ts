import type { Documents } from '../content/documents.js';
import { companionSubject } from '../model/companion-tag.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { groupBy } from '../model/group-by.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import type { ListedNode } from '../survey/survey-images.js';
import { signaturesIn, type FoundSignature, type SignatureKind } from './signatures-in.js';

/** The most bytes of a simple-signing payload, and of an envelope or bundle. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
export const MAX_ENVELOPE_BYTES = 16 * 1024 * 1024;

/** The most manifests that are looked at for one digest. */
const MAX_CANDIDATES = 1000;

/** The most bytes that are read of a layer of this kind. */
export function maxBytesOf(kind: SignatureKind): number {
  return kind === 'cosign' ? MAX_PAYLOAD_BYTES : MAX_ENVELOPE_BYTES;
}

/**
 * Finds what speaks of a digest: manifests that refer to it, and images whose tag names it, of whatever repository.
 * Holds the images and nodes by what they speak of.
 */
export class SignatureFinder {
  readonly #documents: Documents;
  readonly #listed: ReadonlyMap<Digest, readonly ImageRecord[]>;
  readonly #referrers: ReadonlyMap<Digest, readonly ListedNode[]>;

  constructor(documents: Documents, records: readonly ImageRecord[], nodes: readonly ListedNode[]) {
    this.#documents = documents;
    this.#listed = groupBy(records, (record) => companionSubject(record) ?? subjectOf(record));
    this.#referrers = groupBy(nodes, ({ node }) => node.subject);
  }

  /** The signatures and attestations found for a digest. Throws ERR_LIMIT_DESCRIPTORS for too many. */
  async find(digest: Digest): Promise<readonly FoundSignature[]> {
    const found: FoundSignature[] = [];
    for (const descriptor of await this.#candidates(digest)) {
      const manifest = await this.#documents.manifest(descriptor);
      if (manifest !== undefined) found.push(...signaturesIn(manifest, digest));
    }
    return found;
  }

  async #candidates(digest: Digest): Promise<readonly Descriptor[]> {
    const listed = [
      ...(this.#referrers.get(digest) ?? []).map(({ node }) => node.descriptor),
      ...(this.#listed.get(digest) ?? []).map(({ descriptor }) => descriptor),
    ];
    const found = new Map<Digest, Descriptor>();
    for (const descriptor of listed) {
      for (const one of await this.#manifestsOf(descriptor)) found.set(one.digest, one);
      if (found.size > MAX_CANDIDATES) throw tooMany(digest);
    }
    return [...found.values()].filter(({ mediaType }) => isManifestType(mediaType));
  }

  /** An index of referrers stands for what it lists (distribution-spec, "Referrers Tag Schema"). */
  async #manifestsOf(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    if (!isIndexType(descriptor.mediaType)) return [descriptor];
    return (await this.#documents.index(descriptor))?.manifests ?? [];
  }
}

function tooMany(digest: Digest): LadingError {
  const message = `more than ${MAX_CANDIDATES} manifests say that they sign ${digest}`;
  return new LadingError('ERR_LIMIT_DESCRIPTORS', message, { details: { digest } });
}
