import { parseAnnotations, parseDescriptor, type Descriptor } from './descriptor.js';
import { LadingError, quote } from './errors.js';
import { asFields, asText, invalid, listIn, type JsonObject } from './json.js';

/** An OCI image index or Docker manifest list (image-spec, "Image Index"). Unknown fields are kept. */
export interface ImageIndex {
  /** 0 if the document states none, or 0. Such a document is read like one of version 2. */
  readonly schemaVersion: 0 | 2;
  readonly mediaType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * A parsed JSON value as an index. `mediaType` comes from its descriptor; the document must not contradict it.
 * Throws ERR_DOCUMENT_INVALID, ERR_DESCRIPTOR_INVALID, ERR_MEDIA_TYPE.
 */
export function parseImageIndex(value: unknown, where: string, mediaType?: string): ImageIndex {
  const fields = asDocument(value, where);
  const schemaVersion = checkVersionAndType(fields, where, mediaType);
  // Readers differ on a document that is index and manifest at once: each sees another image (CVE-2021-41190).
  if ('layers' in fields || 'config' in fields) throw invalid(where, 'an index must not have config or layers');
  const manifests = listIn(value, 'manifests', where).map((item, at) =>
    parseDescriptor(item, `${where}.manifests[${at}]`),
  );
  // Every field that the type names is checked; unknown fields stay.
  return { ...fields, schemaVersion, manifests, ...checkedLinks(fields, where) };
}

/** The subject and annotations of an index or manifest, as far as it has them. */
export function checkedLinks(fields: JsonObject, where: string): Pick<ImageIndex, 'subject' | 'annotations'> {
  const { subject, annotations } = fields;
  return {
    ...(subject !== undefined && { subject: parseDescriptor(subject, `${where}.subject`) }),
    ...(annotations !== undefined && { annotations: parseAnnotations(annotations, where) }),
  };
}

/** The fields of both kinds: with a field of the other kind, a document would be both an index and a manifest. */
const FIELDS = 'schemaVersion mediaType artifactType config layers manifests subject annotations'.split(' ');

/** The value as the fields of an index or manifest. Throws ERR_DOCUMENT_INVALID. */
export function asDocument(value: unknown, where: string): JsonObject {
  return asFields(value, where, FIELDS);
}

/** Checks `schemaVersion` and `mediaType`, which indexes and manifests share. Returns the version. */
export function checkVersionAndType(
  fields: Readonly<Record<string, unknown>>,
  where: string,
  expected: string | undefined,
): 0 | 2 {
  // Go writes 0 for a number that nobody has set, and docker and containerd read any.
  const { schemaVersion = 0 } = fields;
  if (schemaVersion !== 2 && schemaVersion !== 0) throw invalid(where, 'schemaVersion is not 2');
  if (fields['mediaType'] === undefined) return schemaVersion;
  const mediaType = asText(fields['mediaType'], `${where}.mediaType`);
  if (expected !== undefined && mediaType !== expected) {
    const message = `${where}: its descriptor says ${quote(expected)}, the document says ${quote(mediaType)}`;
    throw new LadingError('ERR_MEDIA_TYPE', message, { details: { expected, mediaType } });
  }
  return schemaVersion;
}
