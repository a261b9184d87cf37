import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import type { LoadRequest } from '../load/load-entries.js';
import { loadArchive, loadRequestOf } from '../load/load-images.js';
import { isImage } from '../model/image-list.js';
import { check, optionsOf, TEXT } from '../model/rules.js';
import { documentStore } from '../stores/memory/document-store.js';
import { READING_RULES } from '../survey/option-rules.js';
import type { ListOptions } from '../survey/tolerant-survey.js';
import { inspectRecord, type ImageInspection } from './inspect-images.js';

/** Which images of an archive to inspect, and how to read them. */
export interface InspectArchiveOptions extends ListOptions {
  /** Only the images with this tag, name or digest. */
  readonly image?: string;
}

const ARGUMENTS = { source: ARCHIVE, options: optionsOf<InspectArchiveOptions>({ ...READING_RULES, image: TEXT }) };

/** Inspects every image of an archive without storing it. Reads the whole archive. Throws the errors of a load. */
export async function inspectArchive(
  source: LoadSource,
  options: InspectArchiveOptions = {},
): Promise<readonly ImageInspection[]> {
  check(ARGUMENTS, { source, options });
  const request: LoadRequest = { ...loadRequestOf(options), probing: 'heads' };
  const store = documentStore(request.limits);
  // The store keeps no layers, so what they are packed with is learned as they pass.
  await loadArchive(store, source, request);
  const records = await store.list();
  const inspections: ImageInspection[] = [];
  for (const record of records.filter(isImage)) {
    inspections.push(await inspectRecord(store, records, record, options));
  }
  return inspections;
}
