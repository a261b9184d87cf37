import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import { IMAGES } from '../load/load-images.js';
import { thinReportOf, type ThinReport } from '../load/thin-report.js';
import { isImage } from '../model/image-list.js';
import { check, optionsOf } from '../model/rules.js';
import type { Warning } from '../survey/reports.js';
import { openArchiveDocuments, withoutKnown } from './archive-documents.js';
import { INSPECT_RULES, inspectRecords, type ImageInspection, type InspectOptions } from './inspect-images.js';

/** Which images of an archive to inspect, and how to read them. */
export interface InspectArchiveOptions extends InspectOptions {
  /** Only the images with these names, tags, digests or patterns. */
  readonly images?: readonly string[];
}

/** The images of an archive, once for each root, and what a load of it warns of beside the warnings of each image. */
export interface ArchiveInspection {
  readonly images: readonly ImageInspection[];
  readonly warnings: readonly Warning[];
  /** What a thin archive leaves out. Its layers have the state `base`. */
  readonly thin?: ThinReport;
}

const ARGUMENTS = { source: ARCHIVE, options: optionsOf<InspectArchiveOptions>({ ...INSPECT_RULES, images: IMAGES }) };

/**
 * Inspects every image of an archive without storing it, once for each root. Reads the whole archive. Throws the errors
 * of a load.
 */
export async function inspectArchive(
  source: LoadSource,
  options: InspectArchiveOptions = {},
): Promise<ArchiveInspection> {
  check(ARGUMENTS, { source, options });
  const { store, warnings, thin } = await openArchiveDocuments(source, options);
  const records = await store.list();
  const images = await inspectRecords(store, records, records.filter(isImage), options, thin?.base);
  const own = images.flatMap((image) => image.warnings);
  return { images, warnings: withoutKnown(warnings, own), ...(thin && { thin: thinReportOf(thin) }) };
}
