import { isDigest, type Digest } from './digest.js';
import { isManifestType } from './media-types.js';
import type { ImageRecord } from './image-list.js';

/** `sha256-<hex>.sig`, `.att` or `.sbom`, as cosign names what belongs to the image of that digest. */
const COMPANION = /:(sha(?:256|384|512))-([0-9a-f]+)\.(?:sig|att|sbom)$/;

/** The digest whose signature, attestations or SBOM the image is, as its name says; undefined for other images. */
export function companionSubject({ name, descriptor }: ImageRecord): Digest | undefined {
  const [, algorithm, hex] = COMPANION.exec(name ?? '') ?? [];
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) && isManifestType(descriptor.mediaType) ? digest : undefined;
}

/** Whether a name is one that companions have. */
export function isCompanionName(name: string): boolean {
  return COMPANION.test(name);
}

/** Whether a tag is one that companions have. */
export function isCompanionTag(tag: string): boolean {
  return isCompanionName(`:${tag}`);
}

/** What stands behind the digest in the tags of companions. */
export const COMPANION_SUFFIXES = ['.sig', '.att', '.sbom'] as const;

/** `sha256-<hex>` lists the referrers of a digest (distribution-spec, "Referrers Tag Schema"); or a companion's tag. */
const BESIDE = /^(sha(?:256|384|512))-([0-9a-f]{64,128})(\.(?:sig|att|sbom))?$/;

/** Whether a tag stands beside an image, and is none of its own: a list of referrers, or a companion. */
export function isTagBeside(tag: string): boolean {
  return BESIDE.test(tag);
}

/** The digest whose referrers the image lists, as its tag says; undefined for other images. */
export function referrersSubject({ name = '' }: ImageRecord): Digest | undefined {
  const [, algorithm, hex, suffix] = BESIDE.exec(name.slice(name.lastIndexOf(':') + 1)) ?? [];
  const digest = `${algorithm}:${hex}`;
  return suffix === undefined && isDigest(digest) ? digest : undefined;
}

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
