import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { publishRecords, type ImageRecord, type NameMove } from '../model/image-list.js';
import { parseImageName } from '../model/reference.js';
import { check, TEXT } from '../model/rules.js';
import { inSession, publishNames } from '../stores/in-session.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { oneOf } from './one-image.js';

/** The result of tagging an image: its full name, its digest, and what the name meant before. */
export interface TagReport {
  readonly name: string;
  readonly digest: Digest;
  readonly moved: readonly NameMove[];
}

const ARGUMENTS = { store: STORE, source: TEXT, name: TEXT };

/** Adds a name to an image. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID. */
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
      tagged = { ...oneOf(records, source), name: full };
      return publishRecords(records, [tagged]);
    });
    return { name: full, digest: (tagged as ImageRecord).descriptor.digest, moved };
  });
}
