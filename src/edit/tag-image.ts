import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { publishRecords, removeRecords, unnamed, type ImageRecord, type NameMove } from '../model/image-list.js';
import { parseImageName } from '../model/reference.js';
import { check, TEXT } from '../model/rules.js';
import { inSession, publishNames } from '../stores/in-session.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { oneOf } from '../survey/one-image.js';

/** The result of tagging an image: its full name, its digest, and what the name meant before. */
export interface TagReport {
  readonly name: string;
  readonly digest: Digest;
  readonly moved: readonly NameMove[];
}

const ARGUMENTS = { store: STORE, source: TEXT, name: TEXT };

/**
 * Adds a name to an image. What the list shows as `<none>:TAG` gets the name in place of its tag, if the source means
 * that record alone: `<none>:TAG`, or the id of an image that has this tag and no name. Throws ERR_IMAGE_UNKNOWN,
 * ERR_REFERENCE_INVALID.
 */
export async function tagImage(store: Store, source: string, name: string): Promise<TagReport> {
  check(ARGUMENTS, { store, source, name });
  const reference = parseImageName(name);
  if (reference.digest !== undefined) {
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(name)} has a digest; a new name needs a tag`);
  }
  const full = reference.toString();
  return await inSession(store, async (session) => {
    let tagged: ImageRecord | undefined;
    const moved = await publishNames(session, (records) => {
      const found = oneOf(records, source);
      tagged = { ...unnamed(found), name: full };
      return publishRecords(removeRecords(records, placeholdersOf(records, found)), [tagged]);
    });
    return { name: full, digest: (tagged as ImageRecord).descriptor.digest, moved };
  });
}

/** The records with a tag and no repository that a name for the image takes the place of. */
function placeholdersOf(records: readonly ImageRecord[], found: ImageRecord): readonly ImageRecord[] {
  if (found.tag !== undefined) return [found];
  if (found.name !== undefined) return [];
  const { digest } = found.descriptor;
  const own = records.filter(({ descriptor }) => descriptor.digest === digest);
  return own.length === 1 ? own.filter(({ tag }) => tag !== undefined) : [];
}
