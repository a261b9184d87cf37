import { ANNOTATIONS, withAnnotations, type Descriptor } from './descriptor.js';
import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import type { ImageIndex } from './image-index.js';
import { formatKept, mergeKept, parseKept, type KeptRoot } from './kept-parts.js';
import { MEDIA_TYPES } from './media-types.js';

/** One image of a store: a root with its name. */
export interface ImageRecord extends KeptRoot {
  /** Full name in normal form with tag or digest; undefined for an image without a name. */
  readonly name?: string;
  /** The root's descriptor, without the annotations of a list of images. */
  readonly descriptor: Descriptor;
}

/** What to do if another image in the store has the name: `replace` moves the name, `keep` leaves it, `fail` throws. */
export type OnConflict = 'replace' | 'keep' | 'fail';

/** The images that a store's `index.json` lists, in its order. It contains full names. */
export function recordsOf(index: ImageIndex): readonly ImageRecord[] {
  return index.manifests.map((listed) => {
    const name = listed.annotations?.[ANNOTATIONS.imageName];
    const kept = parseKept(listed.annotations?.[ANNOTATIONS.kept]);
    return { ...(name !== undefined && { name }), descriptor: withoutName(listed), ...(kept && { kept }) };
  });
}

/** The content of a store's `index.json`: named images by name, then unnamed ones by digest. */
export function imageIndexOf(records: readonly ImageRecord[]): ImageIndex {
  const manifests = records.toSorted(byNameThenDigest).map(({ name, descriptor, kept }) => {
    const naming = name === undefined ? {} : { [ANNOTATIONS.imageName]: name, [ANNOTATIONS.refName]: name };
    return withAnnotations(descriptor, { ...naming, ...(kept && { [ANNOTATIONS.kept]: formatKept(kept) }) });
  });
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
}

/** The descriptor without the annotations of a list of images: those that carry a name, and what is kept. */
export function withoutName(descriptor: Descriptor): Descriptor {
  const { imageName, refName, kept } = ANNOTATIONS;
  return withAnnotations(descriptor, { [imageName]: undefined, [refName]: undefined, [kept]: undefined });
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
 * named record has the same digest. What an addition keeps of its root comes to what is kept of it already. Throws
 * ERR_NAME_CONFLICT with `fail`.
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
  return mergeKept(withoutRepeats([...existing, ...added]), records, added);
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

/** The record without its name. */
export function unnamed(record: ImageRecord): ImageRecord {
  const { name: _, ...rest } = record;
  return rest;
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
