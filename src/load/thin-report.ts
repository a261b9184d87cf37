import { bytesOfBlobs, type Content } from '../model/content.js';
import type { ThinList } from '../model/thin-list.js';

/** What a thin archive leaves out. */
export interface ThinReport {
  readonly excluded: { readonly count: number; readonly bytes: number };
  /** File names of the archives that may have it, as the archive says. */
  readonly from: readonly string[];
  /** The archive with all layers: its bytes, and the digest of its plan. */
  readonly full: Content;
}

/** What a thin archive says of itself, with its list as a count. */
export function thinReportOf({ base, from, full }: ThinList): ThinReport {
  return { excluded: { count: base.size, bytes: bytesOfBlobs(base) }, from, full };
}
