import { ANNOTATIONS, withAnnotations, type Descriptor } from './descriptor.js';
import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import type { ImageIndex } from './image-index.js';
import { formatKept, mergeKept, parseKept, type KeptRoot } from './kept-parts.js';
import { MEDIA_TYPES } from './media-types.js';
import { parseReference } from './reference.js';

/** One image of a store: a root with its name. */
export interface ImageRecord extends KeptRoot {
  /** Full name in normal form with tag or digest; undefined for an image without a name. */
  readonly name?: string;
  /** The tag of an image whose archive told no more of its name. A record with a name has none. */
  readonly tag?: string;
  /** Set if another image took the name of this one. A prune removes it; it leaves unnamed images that were loaded. */
  readonly replaced?: true;
  /** When it came to the list, in milliseconds since 1970; not known of every record. Stores set it. */
  readonly stored?: number;
  /** The root's descriptor, without the annotations of a list of images. */
  readonly descriptor: Descriptor;
}

/** What to do if another image in the store has the name: `replace` moves the name, `keep` leaves it, `fail` throws. */
export type OnConflict = 'replace' | 'keep' | 'fail';

/** The images that a store's `index.json` lists, in its order. It contains full names, and tags without one. */
export function recordsOf(index: ImageIndex): readonly ImageRecord[] {
  return index.manifests.map((listed) => {
    return { ...fieldsOf(listed.annotations), descriptor: withoutName(listed) };
  });
}

function fieldsOf(annotations: Descriptor['annotations']): Omit<ImageRecord, 'descriptor'> {
  const { imageName, refName, replaced: isReplaced, stored: time, kept: keptParts, missed: missedParts } = ANNOTATIONS;
  const [name, tag] = [annotations?.[imageName], annotations?.[refName]];
  const kept = parseKept(annotations?.[keptParts]);
  const missed = parseKept(annotations?.[missedParts]);
  const stored = Date.parse(annotations?.[time] ?? '');
  const own = { ...(kept && { kept }), ...(missed && { missed }), ...(!Number.isNaN(stored) && { stored }) };
  if (name !== undefined) return { name, ...own };
  return {
    ...(tag !== undefined && { tag }),
    ...(annotations?.[isReplaced] !== undefined && { replaced: true }),
    ...own,
  };
}

/** The content of a store's `index.json`: named images by name, then unnamed ones by digest and tag. */
export function imageIndexOf(records: readonly ImageRecord[]): ImageIndex {
  const manifests = records
    .toSorted(byNameThenDigest)
    .map(({ name, tag, replaced, stored, kept, missed, descriptor }) =>
      withAnnotations(descriptor, {
        [ANNOTATIONS.imageName]: name,
        [ANNOTATIONS.refName]: name ?? tag,
        [ANNOTATIONS.replaced]: replaced && 'true',
        [ANNOTATIONS.stored]: stored === undefined ? undefined : new Date(stored).toISOString(),
        [ANNOTATIONS.kept]: kept && formatKept(kept),
        [ANNOTATIONS.missed]: missed && formatKept(missed),
      }),
    );
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
}

/** The descriptor without the annotations of a list of images: those that are fields of a record. */
export function withoutName(descriptor: Descriptor): Descriptor {
  if (descriptor.annotations === undefined) return descriptor;
  const { imageName, refName, replaced: isReplaced, stored, kept, missed } = ANNOTATIONS;
  const own = [imageName, refName, isReplaced, stored, kept, missed];
  return withAnnotations(descriptor, Object.fromEntries(own.map((key) => [key, undefined])));
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
 * record with a name or tag has the same digest; a tag is dropped if a name has the same tag and digest. What an
 * addition keeps of its root comes to what is kept of it already. Throws ERR_NAME_CONFLICT with `fail`.
 */
export function publishRecords(
  records: readonly ImageRecord[],
  additions: readonly ImageRecord[],
  onConflict: OnConflict = 'replace',
): readonly ImageRecord[] {
  const holders = rootsByName(records);
  const added = additions.filter((addition) => !isKept(holders, addition, onConflict));
  const names = new Set(added.map(({ name }) => name).filter((name) => name !== undefined));
  const existing = records.map((record) =>
    record.name !== undefined && names.has(record.name) ? replaced(record) : record,
  );
  return mergeKept(distinctRecords([...existing, ...added]), records, added);
}

function isKept(
  holders: ReadonlyMap<string, Digest>,
  { name, descriptor }: ImageRecord,
  onConflict: OnConflict,
): boolean {
  const holder = name === undefined ? undefined : holders.get(name);
  if (holder === undefined || holder === descriptor.digest) return false;
  if (onConflict !== 'fail') return onConflict === 'keep';
  const message = `${quote(String(name))} already names ${holder} in the store`;
  const details = { name, existing: holder, archive: descriptor.digest };
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
  const idOf = ({ name, tag, descriptor }: ImageRecord): string => `${name ?? ''} ${tag ?? ''} ${descriptor.digest}`;
  const gone = new Set(removed.map(idOf));
  return records.filter((record) => !gone.has(idOf(record)));
}

/** `<none>:TAG`, as an image that has only a tag is shown. */
export function labelOfTag({ tag }: { readonly tag?: string | undefined }): string | undefined {
  return tag === undefined ? undefined : `${NO_REPOSITORY}${tag}`;
}

/** What stands for the repository of an image that has only a tag. */
export const NO_REPOSITORY = '<none>:';

/** The record without its name and tag. */
export function unnamed(record: ImageRecord): ImageRecord {
  const { name: _, tag: __, ...rest } = record;
  return rest;
}

function replaced(record: ImageRecord): ImageRecord {
  return { ...unnamed(record), replaced: true };
}

/** The records, each once, without those that say less than another one of the same image. */
export function distinctRecords(records: readonly ImageRecord[]): readonly ImageRecord[] {
  const named = records.filter(({ name }) => name !== undefined);
  const tagged = withoutTagsOf(
    named,
    records.filter(({ tag }) => tag !== undefined),
  );
  const known = new Set([...named, ...tagged].map(({ descriptor }) => descriptor.digest));
  const nameless = records.filter(
    ({ name, tag, descriptor }) => name === undefined && tag === undefined && !known.has(descriptor.digest),
  );
  // The last record with a key wins: it has the newer descriptor.
  return [...new Map([...named, ...tagged, ...nameless].map((record) => [keyOf(record), record])).values()];
}

/** The tagged records that no named one has made needless. */
function withoutTagsOf(named: readonly ImageRecord[], tagged: readonly ImageRecord[]): readonly ImageRecord[] {
  const digests = new Set(tagged.map(({ descriptor }) => descriptor.digest));
  const candidates = named.filter(({ descriptor }) => digests.has(descriptor.digest));
  const known = new Set(
    candidates.map(({ name = '', descriptor }) => `${parseReference(name).tag} ${descriptor.digest}`),
  );
  return tagged.filter(({ tag, descriptor }) => !known.has(`${tag} ${descriptor.digest}`));
}

function keyOf({ name, tag, descriptor }: ImageRecord): string {
  return name === undefined ? `${descriptor.digest} ${tag ?? ''}` : name;
}

function byNameThenDigest(a: ImageRecord, b: ImageRecord): number {
  if (a.name === undefined || b.name === undefined) {
    if (a.name !== b.name) return a.name === undefined ? 1 : -1;
    return compareTexts(a.descriptor.digest, b.descriptor.digest) || compareTexts(a.tag ?? '', b.tag ?? '');
  }
  return compareTexts(a.name, b.name);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
