import { ANNOTATIONS, withAnnotations, type Descriptor } from './descriptor.js';
import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import type { ImageIndex } from './image-index.js';
import { MEDIA_TYPES } from './media-types.js';
import { parseReference, type Reference } from './reference.js';

/** One image of a store: a root with its name. */
export interface ImageRecord {
  /** Full name in normal form with tag or digest; undefined for an image without a name. */
  readonly name?: string;
  /** The root's descriptor, without the annotations that carry a name. */
  readonly descriptor: Descriptor;
}

/** What to do if another image in the store has the name: `replace` moves the name, `keep` leaves it, `fail` throws. */
export type OnConflict = 'replace' | 'keep' | 'fail';

/** The images that a store's `index.json` lists, in its order. It contains full names. */
export function recordsOf(index: ImageIndex): readonly ImageRecord[] {
  return index.manifests.map((listed) => {
    const name = listed.annotations?.[ANNOTATIONS.imageName];
    const descriptor = withoutName(listed);
    return name === undefined ? { descriptor } : { name, descriptor };
  });
}

/** The content of a store's `index.json`: named images by name, then unnamed ones by digest. */
export function imageIndexOf(records: readonly ImageRecord[]): ImageIndex {
  const manifests = records.toSorted(byNameThenDigest).map(({ name, descriptor }) => {
    const naming = { [ANNOTATIONS.imageName]: name, [ANNOTATIONS.refName]: name };
    return name === undefined ? descriptor : withAnnotations(descriptor, naming);
  });
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
}

/** The descriptor without the two annotations that carry a name. */
export function withoutName(descriptor: Descriptor): Descriptor {
  return withAnnotations(descriptor, { [ANNOTATIONS.imageName]: undefined, [ANNOTATIONS.refName]: undefined });
}

/** The digest that an unnamed record refers to; undefined for a record that is an image itself. */
export function subjectOf(record: ImageRecord): Digest | undefined {
  const subject = record.name === undefined ? record.descriptor.annotations?.[ANNOTATIONS.subject] : undefined;
  return subject !== undefined && isDigest(subject) ? subject : undefined;
}

/** Whether the record is an image of its own, not a referrer of another one. */
export function isImage(record: ImageRecord): boolean {
  return subjectOf(record) === undefined;
}

/** Whether the record is a referrer of one of the digests. */
export function refersTo(record: ImageRecord, digests: ReadonlySet<Digest>): boolean {
  const subject = subjectOf(record);
  return subject !== undefined && digests.has(subject);
}

/**
 * The list with the additions. A replaced image stays, unnamed, until it is pruned. An unnamed record is dropped if a
 * named record has the same digest. Throws ERR_NAME_CONFLICT with `fail`.
 */
export function publishRecords(
  records: readonly ImageRecord[],
  additions: readonly ImageRecord[],
  onConflict: OnConflict = 'replace',
): readonly ImageRecord[] {
  const added = additions.filter((addition) => !isKept(records, addition, onConflict));
  const names = new Set(added.map(({ name }) => name).filter((name) => name !== undefined));
  const existing = records.map((record) =>
    record.name !== undefined && names.has(record.name) ? unnamed(record) : record,
  );
  return withoutRepeats([...existing, ...added]);
}

function isKept(records: readonly ImageRecord[], addition: ImageRecord, onConflict: OnConflict): boolean {
  const holder = records.find(({ name }) => name !== undefined && name === addition.name);
  if (holder === undefined || holder.descriptor.digest === addition.descriptor.digest) return false;
  if (onConflict !== 'fail') return onConflict === 'keep';
  const message = `${quote(String(addition.name))} already names ${holder.descriptor.digest} in the store`;
  const details = { name: addition.name, existing: holder.descriptor.digest, archive: addition.descriptor.digest };
  throw new LadingError('ERR_NAME_CONFLICT', message, { details });
}

/** The change of one name. Without `from` the name is new; without `to` it was removed. */
export interface NameMove {
  readonly name: string;
  readonly from?: Digest;
  readonly to?: Digest;
}

/** The names that were added, moved or removed by a change of the list, sorted. */
export function movesOf(before: readonly ImageRecord[], after: readonly ImageRecord[]): readonly NameMove[] {
  const [old, now] = [rootsByName(before), rootsByName(after)];
  const moved = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
  return moved.sort().map((name) => {
    const [from, to] = [old.get(name), now.get(name)];
    return { name, ...(from && { from }), ...(to && { to }) };
  });
}

function rootsByName(records: readonly ImageRecord[]): ReadonlyMap<string, Digest> {
  return new Map(
    records.flatMap(({ name, descriptor }) => (name === undefined ? [] : [[name, descriptor.digest] as const])),
  );
}

/** The list without the given records. A name stays if it now has another digest. */
export function removeRecords(
  records: readonly ImageRecord[],
  removed: readonly ImageRecord[],
): readonly ImageRecord[] {
  const nameAndDigest = ({ name, descriptor }: ImageRecord): string => `${name ?? ''} ${descriptor.digest}`;
  const gone = new Set(removed.map(nameAndDigest));
  return records.filter((record) => !gone.has(nameAndDigest(record)));
}

/** What a name without a tag means: every tag of the repository, or the tag `latest`. */
export type Untagged = 'all' | 'latest';

/**
 * The records that a user's text means: a name (without tag: every tag of the repository), or else an image id, a
 * digest or a unique prefix. A record found by its id is returned without its name. Throws ERR_IMAGE_UNKNOWN,
 * ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export function resolveRecords(
  records: readonly ImageRecord[],
  text: string,
  untagged: Untagged = 'all',
): readonly ImageRecord[] {
  const images = records.filter((record) => subjectOf(record) === undefined);
  const named = isDigest(text) ? [] : resolveName(images, text, untagged);
  if (named.length > 0) return named;
  const byId = resolveId(images, text);
  if (byId !== undefined) return [byId];
  throw unknown(text, untagged === 'latest' && resolveName(images, text, 'all').length > 0);
}

function unknown(text: string, hasOtherTags: boolean): LadingError {
  const message = hasOtherTags
    ? `${quote(text)} means its tag latest, which the store does not have; name one of its other tags, or ask for all`
    : `no image ${quote(text)} in the store`;
  return new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image: text } });
}

const ID_PREFIX = /^(?:sha(?:256|384|512):)?[0-9a-f]{1,128}$/;

function resolveName(images: readonly ImageRecord[], text: string, untagged: Untagged): readonly ImageRecord[] {
  const given = referenceOf(text);
  if (given === undefined) return [];
  const wanted = untagged === 'latest' ? given.withDefaultTag() : given;
  const inRepository = images.filter(({ name }) => name !== undefined && isInRepository(name, wanted));
  if (wanted.digest !== undefined) return resolvePinned(inRepository, wanted, wanted.digest);
  if (wanted.tag === undefined) return inRepository.filter(({ name }) => !name?.includes('@'));
  return inRepository.filter(({ name }) => name === wanted.toString());
}

/** `repository@digest` means the image; `repository:tag@digest` means the tag, if it still has that digest. */
function resolvePinned(
  inRepository: readonly ImageRecord[],
  wanted: Reference,
  digest: string,
): readonly ImageRecord[] {
  const pinned = inRepository.filter(({ descriptor }) => descriptor.digest === digest);
  const same = pinned.filter(({ name }) => name === wanted.toString());
  if (same.length > 0) return same;
  if (wanted.tag !== undefined) return pinned.filter(({ name }) => parseReference(name ?? '').tag === wanted.tag);
  return pinned.slice(0, 1).map(unnamed);
}

/** A text that is not a valid name may be an id prefix: 64 hex characters are refused as a name. */
function referenceOf(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (ID_PREFIX.test(text)) return undefined;
    throw error;
  }
}

function isInRepository(name: string, wanted: Reference): boolean {
  const repository = `${wanted.domain}/${wanted.path}`;
  return name.startsWith(repository) && [':', '@'].includes(name.charAt(repository.length));
}

function resolveId(images: readonly ImageRecord[], text: string): ImageRecord | undefined {
  if (!ID_PREFIX.test(text)) return undefined;
  const prefix = text.includes(':') ? text : `sha256:${text}`;
  const matching = images.filter(({ descriptor }) => descriptor.digest.startsWith(prefix));
  const digests = new Set(matching.map(({ descriptor }) => descriptor.digest));
  if (digests.size > 1) {
    const message = `${quote(text)} is the start of ${digests.size} image ids; give more characters`;
    throw new LadingError('ERR_REFERENCE_AMBIGUOUS', message, { details: { candidates: [...digests] } });
  }
  return matching[0] === undefined ? undefined : unnamed(matching[0]);
}

function unnamed({ descriptor }: ImageRecord): ImageRecord {
  return { descriptor };
}

function withoutRepeats(records: readonly ImageRecord[]): readonly ImageRecord[] {
  const named = records.filter(({ name }) => name !== undefined);
  const namedDigests = new Set(named.map(({ descriptor }) => descriptor.digest));
  const nameless = records.filter(({ name, descriptor }) => name === undefined && !namedDigests.has(descriptor.digest));
  // The last record with a key wins: it has the newer descriptor.
  return [...new Map([...named, ...nameless].map((record) => [keyOf(record), record])).values()];
}

function keyOf({ name, descriptor }: ImageRecord): string {
  return `${name ?? ''} ${name === undefined ? descriptor.digest : ''}`;
}

function byNameThenDigest(a: ImageRecord, b: ImageRecord): number {
  if (a.name === undefined || b.name === undefined) {
    if (a.name !== b.name) return a.name === undefined ? 1 : -1;
    return compareTexts(a.descriptor.digest, b.descriptor.digest);
  }
  return compareTexts(a.name, b.name);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
