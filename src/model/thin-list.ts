import type { Content } from './content.js';
import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { asFields, asList, asOptionalTexts, invalid, type JsonObject } from './json.js';
import { THIN_ENTRY } from './archive-layout.js';

/** The schema of the list in a thin archive. */
export const THIN_SCHEMA = 'dev.lading.thin.v1';

/** What a thin archive says of itself, in `lading-thin.json`. */
export interface ThinList {
  /** The layers that its images need and that are not in it, by digest. */
  readonly base: ReadonlyMap<Digest, number>;
  /** File names of the archives that may have them, for messages only. */
  readonly from: readonly string[];
  /** The archive with all layers: its bytes, and the digest of its plan. */
  readonly full: Content;
}

/** The bytes of `lading-thin.json`. */
export function formatThinList({ base, from, full }: ThinList): Buffer {
  const sorted = [...base].map(([digest, size]) => ({ digest, size })).toSorted(byDigest);
  return Buffer.from(JSON.stringify({ schema: THIN_SCHEMA, base: sorted, from, full }));
}

/** In the order of the digests. */
export function byDigest(a: Content, b: Content): number {
  if (a.digest === b.digest) return 0;
  return a.digest < b.digest ? -1 : 1;
}

/**
 * Everything but `base`, which may be long: `base` comes unread. Throws ERR_FORMAT_UNSUPPORTED for another version,
 * ERR_DOCUMENT_INVALID.
 */
export function parseThinHead(value: unknown): Omit<ThinList, 'base'> & { readonly base: readonly unknown[] } {
  const fields = asFields(value, THIN_ENTRY, ['schema', 'base', 'from', 'full']);
  const { schema } = fields;
  if (schema !== THIN_SCHEMA) {
    const message = `${THIN_ENTRY} has the schema ${quote(JSON.stringify(schema) ?? 'none')}; only ${THIN_SCHEMA} is known`;
    throw new LadingError('ERR_FORMAT_UNSUPPORTED', message);
  }
  const from = fields['from'] === undefined ? [] : asOptionalTexts(fields['from'], `${THIN_ENTRY}.from`);
  const full = parseThinContent(fields['full'], `${THIN_ENTRY}.full`);
  return { from, full, base: asList(fields['base'], `${THIN_ENTRY}.base`) };
}

/** A digest and a size. Throws ERR_DOCUMENT_INVALID. */
export function parseThinContent(value: unknown, where: string): Content {
  const { digest, size }: JsonObject = asFields(value, where, ['digest', 'size']);
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`${where}.digest`, 'not a digest');
  if (!Number.isSafeInteger(size) || Number(size) < 0) throw invalid(`${where}.size`, 'not a number of bytes');
  return { digest, size: Number(size) };
}

/** An ERR_ARCHIVE_FORMAT about a thin archive. */
export function wrongThin(what: string, details: Readonly<Record<string, unknown>> = {}): LadingError {
  return new LadingError('ERR_ARCHIVE_FORMAT', `the thin archive ${what}`, { details });
}
