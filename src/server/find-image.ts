import { jsonLine, LadingError, parseReference, resolveRecords, type ImageRecord, type Store } from '../index.js';

const ID = /^(?:sha(?:256|384|512):)?[0-9a-f]{1,128}$/;

/** The record that a name of the Engine API means, and how it was found. */
export interface FoundImage {
  /** The full name, `repository@digest` or the digest, as the library's functions take it. */
  readonly text: string;
  readonly record: ImageRecord;
  /** Whether it was found by id: then all names of the image are meant. With a repository, only those in it are. */
  readonly isById: boolean;
}

/**
 * Finds one image as the Engine does: a name without tag means `latest`; a name wins over an id or a prefix of one.
 * Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export async function findImage(store: Store, text: string): Promise<FoundImage> {
  const full = fullName(text);
  if (full?.includes('@') === true) return { ...byId(await store.list(), full, text), text: full, isById: false };
  const [named] = full === undefined ? [] : await namedIn(store, full);
  if (named !== undefined && full !== undefined) return { text: full, record: named, isById: false };
  if (ID.test(text)) return byId(await store.list(), text.includes(':') ? text : `sha256:${text}`, text);
  throw unknown(text);
}

/** What a full name means, asked for by itself: a store may be far away, and its list long. */
async function namedIn(store: Store, full: string): Promise<readonly ImageRecord[]> {
  return await store.resolve([full]).catch(noneIfUnknown);
}

/** Finds an image by its id; an error has the text that the client sent. */
function byId(records: readonly ImageRecord[], id: string, asked: string): FoundImage {
  const [record] = found(records, id);
  if (record !== undefined) return { text: record.descriptor.digest, record, isById: true };
  throw unknown(asked);
}

function found(records: readonly ImageRecord[], text: string): readonly ImageRecord[] {
  try {
    return resolveRecords(records, text);
  } catch (error) {
    return noneIfUnknown(error);
  }
}

function noneIfUnknown(error: unknown): readonly ImageRecord[] {
  if (error instanceof LadingError && error.code === 'ERR_IMAGE_UNKNOWN') return [];
  throw error;
}

/** The full name with registry and tag; undefined for a text that can only be an id. */
function fullName(text: string): string | undefined {
  try {
    return parseReference(text).withDefaultTag().toString();
  } catch (error) {
    if (ID.test(text)) return undefined;
    throw error;
  }
}

function unknown(text: string): LadingError {
  return new LadingError('ERR_IMAGE_UNKNOWN', `no image ${jsonLine(text)}`, { details: { image: text } });
}
