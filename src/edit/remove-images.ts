import { closureOf } from '../content/closure.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { refersTo, removeRecords, type ImageRecord, type NameMove } from '../model/image-list.js';
import { parseReference } from '../model/reference.js';
import { repositoryOf, resolveRecords } from '../model/resolve-records.js';
import { check, FLAG, optionsOf } from '../model/rules.js';
import { inSession, publishNames } from '../stores/in-session.js';
import { STORE } from '../stores/port-rules.js';
import { lostReferrers } from '../stores/pruneable-images.js';
import type { Store } from '../stores/store.js';
import { NAMES } from '../survey/option-rules.js';
import { discardMeasured } from './discard-measured.js';
import { lostCompanions } from './lost-companions.js';

/** What a removal did. */
export interface RemoveReport {
  /** Names that are gone. */
  readonly untagged: readonly string[];
  /** The same names, with the images that they meant. */
  readonly moved: readonly NameMove[];
  /** Blobs that are gone, since nothing else needed them. */
  readonly deleted: readonly Digest[];
  /** How many bytes these blobs had. */
  readonly bytes: number;
}

/** How to remove images. */
export interface RemoveOptions {
  /** An id removes only the unnamed image, so that an image that was named meanwhile stays. */
  readonly keepNames?: boolean;
  /** A name without a tag means every tag of its repository. */
  readonly allTags?: boolean;
}

const ARGUMENTS = {
  store: STORE,
  texts: NAMES,
  options: optionsOf<RemoveOptions>({ keepNames: FLAG, allTags: FLAG }),
};

/**
 * Removes names, and the content that only they needed. A name without a tag means `latest`, as docker's `rmi` has it.
 * An id removes every name of the image, `repository@digest` those of that repository. Signatures and the like go with
 * the last name of what they speak of. If one text means no image, nothing is removed. Throws ERR_IMAGE_UNKNOWN,
 * ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS, and ERR_OPTION_INVALID for a tag together with `allTags`.
 */
export async function removeImages(
  store: Store,
  texts: readonly string[],
  options: RemoveOptions = {},
): Promise<RemoveReport> {
  check(ARGUMENTS, { store, texts, options });
  const { keepNames = false, allTags = false } = options;
  if (allTags) for (const text of texts) checkWithoutTag(text);
  return await inSession(store, async (session) => {
    const removed = new Set<ImageRecord>();
    const before = await store.list();
    for (const text of texts) {
      const found = expandId(before, resolveRecords(before, text, allTags ? 'all' : 'latest'), text);
      for (const record of found) if (!keepNames || record.name === undefined) removed.add(record);
    }
    const named = [...removed];
    const gone = [...named, ...(await lostCompanions(store, before, named))];
    const lost = await lostReferrers(store, before, removeRecords(before, gone));
    const closure = await closureOf(
      Documents.stored(store),
      [...gone, ...lost].map(({ descriptor }) => descriptor),
    );
    const moved = await publishNames(session, (records) => {
      // An image that came meanwhile may need what nobody asked to remove.
      const isSame = removeRecords(records, before).length === 0;
      return withoutOrphans(records, removeRecords(records, isSame ? [...gone, ...lost] : named));
    });
    const freed = await discardMeasured(store, session, closure);
    // A name that another process moved to another image meanwhile is not gone, so it is left out.
    const untagged = moved.filter(({ to }) => to === undefined).map(({ name }) => name);
    return { untagged, moved, ...freed };
  });
}

function checkWithoutTag(text: string): void {
  const { tag, digest } = parseReference(text);
  if (tag === undefined && digest === undefined) return;
  throw new LadingError(
    'ERR_OPTION_INVALID',
    `all tags of ${quote(text)}: name the repository, without a tag or digest`,
  );
}

/** A record that was found by its id stands for every record of that digest, or for those in the repository. */
function expandId(
  records: readonly ImageRecord[],
  found: readonly ImageRecord[],
  text: string,
): readonly ImageRecord[] {
  const repository = text.includes('@') ? repositoryOf(parseReference(text).toString()) : undefined;
  return found.flatMap((record) =>
    record.name === undefined && record.tag === undefined
      ? records.filter(
          ({ name, descriptor }) =>
            descriptor.digest === record.descriptor.digest &&
            (repository === undefined || (name !== undefined && repositoryOf(name) === repository)),
        )
      : [record],
  );
}

/** The records without the referrers of a root that has just lost its last record. */
function withoutOrphans(before: readonly ImageRecord[], after: readonly ImageRecord[]): readonly ImageRecord[] {
  const staying = new Set(after.map(({ descriptor }) => descriptor.digest));
  const lost = new Set(before.map(({ descriptor }) => descriptor.digest).filter((digest) => !staying.has(digest)));
  return after.filter((record) => !refersTo(record, lost));
}
