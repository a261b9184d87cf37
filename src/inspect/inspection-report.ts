import { check, fields, listOf, OBJECT, optional, TEXT, wholeNumber } from '../model/rules.js';
import { isAnyMissing, type Warning } from '../survey/reports.js';
import type { ImageInspection } from './inspect-images.js';
import { rowsOf, sharedLayersOf, summaryOf, type InspectionSummary, type SharedLayer } from './sharing.js';

/** Everything that was inspected together, with what its platforms share: the JSON of the command and of the page. */
export interface InspectionReport {
  /** The shape of this report: a higher version may lack or change fields, the same one may only get new fields. */
  readonly schema: 'dev.lading.inspection.v1';
  readonly summary: InspectionSummary;
  readonly sharedLayers: readonly SharedLayer[];
  readonly images: readonly ImageInspection[];
  /** Warnings that are about no image of these. */
  readonly warnings: readonly Warning[];
  /** True if content of a platform that an image lists is not here. */
  readonly incomplete: boolean;
}

const BLOB = fields({ digest: TEXT, size: wholeNumber(Number.MAX_SAFE_INTEGER) });
const PLATFORM = fields({
  platform: TEXT,
  state: TEXT,
  manifest: optional(BLOB),
  config: optional(BLOB),
  layers: optional(listOf(BLOB)),
});
const IMAGE = fields({ digest: TEXT, names: listOf(TEXT), platforms: listOf(PLATFORM), referrers: listOf(OBJECT) });
/** Inspected images as an argument. */
export const INSPECTED = listOf(IMAGE);

const ARGUMENTS = { images: INSPECTED, warnings: listOf(OBJECT) };

/** The report of images that were inspected together, of one store or of several places. */
export function inspectionReportOf(
  images: readonly ImageInspection[],
  warnings: readonly Warning[] = [],
): InspectionReport {
  check(ARGUMENTS, { images, warnings });
  const rows = rowsOf(images);
  const sharedLayers = sharedLayersOf(rows);
  return {
    schema: 'dev.lading.inspection.v1',
    summary: summaryOf(rows, sharedLayers),
    sharedLayers,
    images,
    warnings,
    incomplete: isAnyMissing(images),
  };
}
