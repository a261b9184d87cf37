import { isDigest } from './digest.js';
import type { ImageRecord } from './image-list.js';
import { fields, listOf, must, optional, TEXT, wholeNumber } from './rules.js';

/** Records as a caller may publish them: nothing else may get into the list of a store. */
const RECORDS = listOf(
  fields({
    name: optional(TEXT),
    descriptor: fields({
      mediaType: TEXT,
      digest: must('a digest', (value) => typeof value === 'string' && isDigest(value)),
      size: wholeNumber(Number.MAX_SAFE_INTEGER),
    }),
  }),
);

/**
 * The records after a change, with their times: one that was there before keeps its own, also if it has none; one that
 * is new has the time `now`, or none if that is undefined. A name that means another image is new, and so is an image
 * that lost its name. Throws ERR_OPTION_INVALID if what the change made are no records.
 */
export function withTimes(
  before: readonly ImageRecord[],
  after: readonly ImageRecord[],
  now: number | undefined,
): readonly ImageRecord[] {
  RECORDS(after, 'records');
  const known = new Map(before.map((record) => [keyOf(record), record]));
  return after.map((record) => {
    const old = known.get(keyOf(record));
    return withTime(record, old === undefined ? now : old.stored);
  });
}

function withTime(record: ImageRecord, time: number | undefined): ImageRecord {
  if (record.stored === time) return record;
  const { stored: _, ...rest } = record;
  return { ...rest, ...(time !== undefined && { stored: time }) };
}

function keyOf({ name, tag, descriptor }: ImageRecord): string {
  return JSON.stringify([name, tag, descriptor.digest]);
}
