import { algorithmOf, encodedOf, isDigest, type Digest } from './digest.js';

/** Entry names of an OCI image layout (image-spec, "Image Layout") and of a docker-archive. */
export const LAYOUT_ENTRY = 'oci-layout';
export const INDEX_ENTRY = 'index.json';
export const DOCKER_MANIFEST_ENTRY = 'manifest.json';

/** Entry names of a thin archive. No other tool looks for them, so none takes a part of an image for all of it. */
export const THIN_ENTRY = 'lading-thin.json';
export const THIN_INDEX_ENTRY = 'thin/index.json';

const WHOLE_ENTRIES: readonly string[] = [LAYOUT_ENTRY, INDEX_ENTRY, DOCKER_MANIFEST_ENTRY];
const THIN_ENTRIES: readonly string[] = [THIN_ENTRY, THIN_INDEX_ENTRY];

/** The entries that say what an archive contains. */
export const METADATA_ENTRIES: readonly string[] = [...WHOLE_ENTRIES, ...THIN_ENTRIES];

/** Whether the names are those of a thin archive and of a whole one: what it contains would depend on its reader. */
export function isMixed(names: ReadonlySet<string>): boolean {
  return WHOLE_ENTRIES.some((name) => names.has(name)) && THIN_ENTRIES.some((name) => names.has(name));
}

/** The bytes of the `oci-layout` entry. */
export const LAYOUT_BYTES = '{"imageLayoutVersion":"1.0.0"}';

/** The folder of all blobs. */
const BLOBS = 'blobs/';

/** `blobs/<algorithm>/<hex>`, the entry that holds the content of a digest. */
export function entryNameOf(digest: Digest): string {
  return `${BLOBS}${algorithmOf(digest)}/${encodedOf(digest)}`;
}

/** The digest in the name of a blob entry; undefined for every other name. */
export function digestOfEntry(name: string): Digest | undefined {
  const slash = name.startsWith(BLOBS) ? name.indexOf('/', BLOBS.length) : -1;
  if (slash === -1) return undefined;
  const digest = `${name.slice(BLOBS.length, slash)}:${name.slice(slash + 1)}`;
  return isDigest(digest) ? digest : undefined;
}

/** A part of a name without meaning: `.` or empty. */
const EMPTY_PART = /(?:^|\/)\.?(?:\/|$)/;

/** The name without `.` and empty parts. Programs that unpack the archive write to this name. */
export function plainEntryName(name: string): string {
  // Fast path: nearly all names are plain already, and this is called several times for each entry.
  if (!EMPTY_PART.test(name)) return name;
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

const BLOCK = 512;

/** Names that fit a ustar header: up to 100 ASCII bytes, after up to 155 and a slash (sha384 fits, sha512 does not). */
const USTAR_NAME = /^(?:[ -~]{1,155}\/)?[ -~]{1,100}$/;

/** Bytes of a tar entry: header, body and padding, and PAX records for a name that does not fit a ustar header. */
export function tarEntryBytes(name: string, bodyBytes: number): number {
  const header = USTAR_NAME.test(name) ? BLOCK : 3 * BLOCK;
  return header + Math.ceil(bodyBytes / BLOCK) * BLOCK;
}

/** Bytes of the two zero blocks at the end of an archive. */
export const TAR_END_BYTES = 2 * BLOCK;
