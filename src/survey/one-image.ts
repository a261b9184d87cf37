import { LadingError, quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { parseReference } from '../model/reference.js';
import { resolveRecords, type Untagged } from '../model/resolve-records.js';

/** The one image that a text means. Of several it is the one tagged `latest`: a command that edits must not guess. */
export function oneOf(records: readonly ImageRecord[], text: string, untagged: Untagged = 'all'): ImageRecord {
  return oneAmong(resolveRecords(records, text, untagged), text);
}

/** The same of the images that a store found for the text. */
export function oneAmong(found: readonly ImageRecord[], text: string): ImageRecord {
  const [first] = found;
  if (found.length === 1 && first !== undefined) return first;
  const latest = found.find(({ name }) => name !== undefined && parseReference(name).tag === 'latest');
  if (latest !== undefined) return latest;
  const message = `${quote(text)} means ${found.length} images; name one with its tag`;
  throw new LadingError('ERR_REFERENCE_AMBIGUOUS', message, { details: { candidates: found.map(({ name }) => name) } });
}
