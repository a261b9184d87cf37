import { isDigest, type Digest } from './digest.js';
import { isIndexType, isManifestType } from './media-types.js';
import type { ImageRecord } from './image-list.js';

/**
 * `sha256-<hex>.sig`, `.att` or `.sbom`, as cosign names what belongs to the image of that digest; without an end, the
 * list of its referrers (distribution-spec, "Referrers Tag Schema").
 */
const BESIDE = /^(sha(?:256|384|512))-([0-9a-f]{64,128})(\.(?:sig|att|sbom))?$/;

/**
 * The digest whose signature, attestations, SBOM or list of referrers the image is, as its name says; undefined for
 * other images. A list is an index, everything else a manifest.
 */
export function companionSubject({ name = '', descriptor: { mediaType } }: ImageRecord): Digest | undefined {
  const [, algorithm, hex, suffix] = BESIDE.exec(name.slice(name.lastIndexOf(':') + 1)) ?? [];
  const digest = `${algorithm}:${hex}`;
  const isOfKind = suffix === undefined ? isIndexType(mediaType) : isManifestType(mediaType);
  return isOfKind && isDigest(digest) ? digest : undefined;
}

/** Whether a name is one that companions have. */
export function isCompanionName(name: string): boolean {
  return isCompanionTag(name.slice(name.lastIndexOf(':') + 1));
}

/** Whether a tag stands beside an image, and is none of its own: a companion's. */
export function isCompanionTag(tag: string): boolean {
  return BESIDE.test(tag);
}

/** What stands behind the digest in the tags of companions. */
export const COMPANION_SUFFIXES = ['.sig', '.att', '.sbom'] as const;

/** Kinds of roots that belong to the image of the same name (annotation `kind` of cosign and hauler). */
const KINDS: ReadonlySet<string> = new Set(['sigs', 'atts', 'sboms', 'referrers']);

/** Whether the annotation `kind` of a root marks it as part of another one: `sigs`, or `dev.cosignproject.cosign/sigs`. */
export function isCompanionKind(kind: string | undefined): boolean {
  return kind !== undefined && KINDS.has(kind.slice(kind.lastIndexOf('/') + 1));
}

/** Images, and the companions among them, apart. Companions alone are images like others. */
export interface Parted {
  readonly images: readonly ImageRecord[];
  readonly companions: readonly ImageRecord[];
}

/** Parts companions from the images that they stand beside. */
export function partCompanions(records: readonly ImageRecord[]): Parted {
  const images = records.filter((record) => companionSubject(record) === undefined);
  if (images.length === 0) return { images: records, companions: [] };
  return { images, companions: records.filter((record) => companionSubject(record) !== undefined) };
}

/** Those of the companions that belong to one of the digests, or to one that does. */
export function companionsAmong(companions: readonly ImageRecord[], digests: Iterable<Digest>): readonly ImageRecord[] {
  const known = new Set(digests);
  const found = new Set<ImageRecord>();
  for (let grown = true; grown;) {
    const next = companions.filter(
      (one) => !found.has(one) && known.has(companionSubject(one) ?? one.descriptor.digest),
    );
    next.forEach((one) => found.add(one) && known.add(one.descriptor.digest));
    grown = next.length > 0;
  }
  return companions.filter((one) => found.has(one));
}
