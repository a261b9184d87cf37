import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { groupBy } from './group-by.js';
import { isImage, labelOfTag, NO_REPOSITORY, unnamed, type ImageRecord } from './image-list.js';
import { onceFor } from './once-for.js';
import { parseReference, type Reference } from './reference.js';
import { check, fields, listOf, must, OBJECT, oneOf, TEXT } from './rules.js';

/** What a name without a tag means: every tag of the repository, or the tag `latest`. */
export type Untagged = 'all' | 'latest';

const ARGUMENTS = { records: must('a list', Array.isArray), text: TEXT, untagged: oneOf('all', 'latest') };

/**
 * The records that a user's text means: a name (without tag: every tag of the repository), `<none>:TAG` (every image
 * that has only this tag), or else an image id, a digest or a unique prefix. A record found by its id is returned
 * without its name. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export function resolveRecords(
  records: readonly ImageRecord[],
  text: string,
  untagged: Untagged = 'all',
): readonly ImageRecord[] {
  check(ARGUMENTS, { records, text, untagged });
  const directory = directoryOf(records);
  const named = isDigest(text) ? [] : resolveName(directory, text, untagged);
  if (named.length > 0) return named;
  const byId = resolveId(directory, text);
  if (byId !== undefined) return [byId];
  throw unknown(text, untagged === 'latest' && resolveName(directory, text, 'all').length > 0);
}

function unknown(text: string, hasOtherTags: boolean): LadingError {
  const message = hasOtherTags
    ? `${quote(text)} means its tag latest, which the store does not have; name one of its other tags, or ask for all`
    : `no image ${quote(text)} in the store`;
  return new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image: text } });
}

const ID_PREFIX = /^(?:sha(?:256|384|512):)?[0-9a-f]{1,128}$/;

/** The images of a list by repository and by digest, so that many look-ups do not each read the whole list. */
interface Directory {
  readonly byRepository: ReadonlyMap<string, readonly ImageRecord[]>;
  /** The images that have only a tag, by `<none>:TAG`. */
  readonly byTag: ReadonlyMap<string, readonly ImageRecord[]>;
  /** The first record of each digest. */
  readonly byDigest: ReadonlyMap<Digest, ImageRecord>;
  /** In the order of their texts. */
  readonly digests: readonly Digest[];
}

const directoryOf = onceFor((records: readonly ImageRecord[]): Directory => {
  check({ records: listOf(fields({ descriptor: OBJECT })) }, { records });
  const images = records.filter(isImage);
  const byDigest = new Map(images.toReversed().map((record) => [record.descriptor.digest, record]));
  return {
    byRepository: groupBy(images, ({ name }) => name && repositoryOf(name)),
    byTag: groupBy(images, labelOfTag),
    byDigest,
    digests: [...byDigest.keys()].sort(),
  };
});

/** A full name without its tag and digest. */
export function repositoryOf(name: string): string {
  return name.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

function resolveName({ byRepository, byTag }: Directory, text: string, untagged: Untagged): readonly ImageRecord[] {
  if (text.startsWith(NO_REPOSITORY)) return byTag.get(text) ?? [];
  const given = referenceOf(text);
  if (given === undefined) return [];
  const wanted = untagged === 'latest' ? given.withDefaultTag() : given;
  const full = wanted.toString();
  const inRepository = byRepository.get(repositoryOf(full)) ?? [];
  if (wanted.digest !== undefined) return resolvePinned(inRepository, wanted, wanted.digest);
  if (wanted.tag === undefined) return inRepository.filter(({ name }) => !name?.includes('@'));
  return inRepository.filter(({ name }) => name === full);
}

/** `repository@digest` means the image; `repository:tag@digest` means the tag, if it still has that digest. */
function resolvePinned(
  inRepository: readonly ImageRecord[],
  wanted: Reference,
  digest: string,
): readonly ImageRecord[] {
  const full = wanted.toString();
  const pinned = inRepository.filter(({ descriptor }) => descriptor.digest === digest);
  const same = pinned.filter(({ name }) => name === full);
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

function resolveId({ byDigest, digests }: Directory, text: string): ImageRecord | undefined {
  if (!ID_PREFIX.test(text)) return undefined;
  const prefix = text.includes(':') ? text : `sha256:${text}`;
  const candidates = startingWith(digests, prefix);
  if (candidates.length > 1) {
    const message = `${quote(text)} is the start of ${candidates.length} image ids; give more characters`;
    throw new LadingError('ERR_REFERENCE_AMBIGUOUS', message, { details: { candidates } });
  }
  const [record] = candidates.map((digest) => byDigest.get(digest));
  return record && unnamed(record);
}

/** Those of the sorted texts that start with a prefix, found by halving. */
function startingWith<Text extends string>(sorted: readonly Text[], prefix: string): readonly Text[] {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if ((sorted[middle] ?? '') < prefix) from = middle + 1;
    else to = middle;
  }
  let end = from;
  while (sorted[end]?.startsWith(prefix) === true) end += 1;
  return sorted.slice(from, end);
}
