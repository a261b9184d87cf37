import type { Content } from './content.js';
import { algorithmOf, digestOf, isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { asFields, asObject, asOptionalTexts, asText } from './json.js';
import type { Platform } from './platform.js';

/** An OCI content descriptor (image-spec, "Descriptor"). Unknown fields are kept. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
  readonly data?: string;
}

/** Annotation keys that Lading reads or writes. */
export const ANNOTATIONS = {
  /** Full image name, as containerd and Docker write it into `index.json`. */
  imageName: 'io.containerd.image.name',
  /** Tag in an archive; in the store the full name, or the tag if no more is known (image-spec, "Pre-Defined Annotation Keys"). */
  refName: 'org.opencontainers.image.ref.name',
  /** The digest that an unnamed top-level descriptor refers to, as Docker writes it. */
  subject: 'io.containerd.manifest.subject',
  /** The root's digest in the store, if the archive has another root. */
  sourceDigest: 'dev.lading.source.digest',
  /** In a store: the mark of an image whose name another one has taken. */
  replaced: 'dev.lading.replaced',
  /** In a store: when a name, or an image without one, came to its list of images. */
  stored: 'dev.lading.stored',
  /** The digest of a store's list of images, computed without this annotation. */
  listDigest: 'dev.lading.list.digest',
  /** The digests below the root that a store keeps, or that the maker of an archive meant to pack, if not all. */
  kept: 'dev.lading.kept',
  /** In a store: the digests below the root that a load was to bring and its archive lacked. */
  missed: 'dev.lading.missed',
  /** BuildKit's mark of an attestation manifest, and the digest that it attests. */
  referenceType: 'vnd.docker.reference.type',
  referenceDigest: 'vnd.docker.reference.digest',
} as const;

const FIELDS = 'mediaType digest size platform annotations artifactType urls data'.split(' ');
const PLATFORM_FIELDS = 'os architecture variant os.version os.features'.split(' ');

/**
 * A value of a document as a Descriptor; `where` names the place in messages. Throws ERR_DESCRIPTOR_INVALID,
 * ERR_DOCUMENT_INVALID, and for embedded data with another size or digest ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH.
 */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const fields = asFields(value, where, FIELDS);
  const { mediaType, digest, size, platform, annotations, artifactType, urls, data } = fields;
  if (typeof mediaType !== 'string' || mediaType === '') throw invalid(where, 'mediaType is not a text');
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(where, `${describe(digest)} is not a digest`);
  if (!Number.isSafeInteger(size) || Number(size) < 0) throw invalid(where, `${describe(size)} is not a size`);
  if (artifactType !== undefined) asText(artifactType, `${where}.artifactType`);
  if (data !== undefined) checkData(data, { digest, size: Number(size) }, where);
  // Checked field by field; unknown fields stay, since rewriting an index must keep them.
  return {
    ...fields,
    ...(urls !== undefined && { urls: asOptionalTexts(urls, `${where}.urls`) }),
    ...(annotations !== undefined && { annotations: parseAnnotations(annotations, where) }),
    ...(platform !== undefined && { platform: parsePlatformFields(platform, `${where}.platform`) }),
  } as Descriptor;
}

/** The digest that this child of an index attests, if BuildKit's annotations mark it as an attestation. */
export function attestedBy(descriptor: Descriptor): Digest | undefined {
  const marks = descriptor.annotations;
  if (marks?.[ANNOTATIONS.referenceType] !== 'attestation-manifest') return undefined;
  const subject = marks[ANNOTATIONS.referenceDigest];
  return subject !== undefined && isDigest(subject) ? subject : undefined;
}

/** The descriptor with annotations set (a text) or removed (undefined). Without annotations it has no such field. */
export function withAnnotations(
  descriptor: Descriptor,
  changes: Readonly<Record<string, string | undefined>>,
): Descriptor {
  const kept = Object.entries({ ...descriptor.annotations, ...changes }).filter(([, text]) => text !== undefined);
  const { annotations: _, ...rest } = descriptor;
  return kept.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(kept) as Record<string, string> };
}

/** Annotations: a map of texts. One that is null is left out. Throws ERR_DOCUMENT_INVALID. */
export function parseAnnotations(value: unknown, where: string): Readonly<Record<string, string>> {
  const entries = Object.entries(asObject(value, `${where}.annotations`)).filter(([, text]) => text !== null);
  return Object.fromEntries(entries.map(([key, text]) => [key, asText(text, `${where}.annotations`)]));
}

/** Standard base64 with its padding (RFC 4648, 4). Node's decoder accepts any text. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Embedded data must have the size and digest of its descriptor (image-spec, "Embedded Content"). */
function checkData(data: unknown, { digest, size }: Content, where: string): void {
  if (typeof data !== 'string' || !BASE64.test(data)) throw invalid(where, 'data is not base64');
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length !== size) {
    const message = `${where}: the embedded data has ${bytes.length} bytes, the descriptor says ${size}`;
    throw new LadingError('ERR_SIZE_MISMATCH', message, { details: { digest, expected: size, size: bytes.length } });
  }
  const actual = digestOf(bytes, algorithmOf(digest));
  if (actual === digest) return;
  const message = `${where}: the embedded data hashes to ${actual}, the descriptor says ${digest}`;
  throw new LadingError('ERR_DIGEST_MISMATCH', message, { details: { digest, actual } });
}

function parsePlatformFields(value: unknown, where: string): Platform {
  const fields = asFields(value, where, PLATFORM_FIELDS);
  for (const key of ['os', 'architecture', 'variant', 'os.version']) {
    if (fields[key] !== undefined) asText(fields[key], `${where}.${key}`);
  }
  const features = fields['os.features'];
  // Checked here; that an OS or architecture is missing is for its reader to judge.
  return {
    ...fields,
    ...(features !== undefined && { 'os.features': asOptionalTexts(features, `${where}.os.features`) }),
  } as unknown as Platform;
}

function describe(value: unknown): string {
  return typeof value === 'string' ? quote(value) : (JSON.stringify(value) ?? 'nothing');
}

function invalid(where: string, what: string): LadingError {
  return new LadingError('ERR_DESCRIPTOR_INVALID', `${where}: ${what}`);
}
