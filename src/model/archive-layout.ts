import { algorithmOf, encodedOf, isDigest, type Digest } from './digest.js';

/** Entry names of an OCI image layout (image-spec, "Image Layout") and of a docker-archive. */
export const LAYOUT_ENTRY = 'oci-layout';
export const INDEX_ENTRY = 'index.json';
export const DOCKER_MANIFEST_ENTRY = 'manifest.json';

/** The entries that tell what an archive is. */
export const METADATA_ENTRIES: readonly string[] = [LAYOUT_ENTRY, INDEX_ENTRY, DOCKER_MANIFEST_ENTRY];

/** The bytes of the `oci-layout` entry. */
export const LAYOUT_BYTES = '{"imageLayoutVersion":"1.0.0"}';

/** The folder of all blobs. */
const BLOBS = 'blobs/';

/** `blobs/<algorithm>/<hex>`, the entry that holds the content of a digest. */
export function entryNameOf(digest: Digest): string {
  return `${BLOBS}${algorithmOf(digest)}/${encodedOf(digest)}`;
}

/** The digest that an entry name promises, or undefined for every other name. */
export function digestOfEntry(name: string): Digest | undefined {
  const slash = name.startsWith(BLOBS) ? name.indexOf('/', BLOBS.length) : -1;
  if (slash === -1) return undefined;
  const digest = `${name.slice(BLOBS.length, slash)}:${name.slice(slash + 1)}`;
  return isDigest(digest) ? digest : undefined;
}

/** A part of a name that means nothing: `.`, or none at all. */
const EMPTY_PART = /(?:^|\/)\.?(?:\/|$)/;

/** The name without `.` and empty parts, as the layout spells it: what the name means to whoever unpacks the archive. */
export function plainEntryName(name: string): string {
  // Nearly all are plain already, and each is asked for several times.
  if (!EMPTY_PART.test(name)) return name;
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

const BLOCK = 512;

/** Names that fit a ustar header: 100 bytes of ASCII, behind a slash and up to 155 more (sha384, but not sha512). */
const USTAR_NAME = /^(?:[ -~]{1,155}\/)?[ -~]{1,100}$/;

/** Bytes that a tar entry takes: its header (with PAX records for a name that fits no ustar header), body and padding. */
export function tarEntryBytes(name: string, bodyBytes: number): number {
  const header = USTAR_NAME.test(name) ? BLOCK : 3 * BLOCK;
  return header + Math.ceil(bodyBytes / BLOCK) * BLOCK;
}

/** Bytes of the two zero blocks that end an archive. */
export const TAR_END_BYTES = 2 * BLOCK;
