import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import { isImage } from '../model/image-list.js';
import { check, optionsOf, TEXT } from '../model/rules.js';
import { READING_RULES } from '../survey/option-rules.js';
import type { ListOptions } from '../survey/tolerant-survey.js';
import { openArchiveDocuments } from './archive-documents.js';
import { inspectRecords, type ImageInspection } from './inspect-images.js';

/** Which images of an archive to inspect, and how to read them. */
export interface InspectArchiveOptions extends ListOptions {
  /** Only the images with this tag, name or digest. */
  readonly image?: string;
}

const ARGUMENTS = { source: ARCHIVE, options: optionsOf<InspectArchiveOptions>({ ...READING_RULES, image: TEXT }) };

/**
 * Inspects every image of an archive without storing it, once for each root. Reads the whole archive. Throws the errors
 * of a load.
 */
export async function inspectArchive(
  source: LoadSource,
  options: InspectArchiveOptions = {},
): Promise<readonly ImageInspection[]> {
  check(ARGUMENTS, { source, options });
  const { store } = await openArchiveDocuments(source, options);
  const records = await store.list();
  return await inspectRecords(store, records, records.filter(isImage), options);
}
