import { bytesOfBlobs } from '../model/content.js';
import type { NameMove } from '../model/image-list.js';
import type { ArchiveContents } from '../stages/records.js';
import type { SkippedEntries } from '../stages/select-entries.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import type { TrustReport } from '../trust/trust-report.js';
import type { ClosedArchive } from './close-archive.js';

/** What a load did. `present` blobs were in the store before; `skipped` ones were in the archive and not wanted. */
export interface LoadReport {
  readonly images: readonly ImageReport[];
  /** Images of the archive of which nothing was loaded, since nothing requested is complete (`skip` only). */
  readonly leftOut: readonly ImageReport[];
  /** Names that are new, or mean another image than before. */
  readonly moved: readonly NameMove[];
  readonly blobs: {
    readonly stored: number;
    readonly present: number;
    readonly skipped: number;
    readonly bytesStored: number;
    readonly bytesSkipped: number;
  };
  readonly warnings: readonly Warning[];
  /** The judgement of each image, if `keys` or a `policy` were given. */
  readonly trust?: readonly TrustReport[];
  /** True if something that was requested was not loaded (`missingPlatforms: 'skip'` only). */
  readonly incomplete: boolean;
}

/** The report of a load. */
export function loadReportOf(
  closed: ClosedArchive,
  { stored: allStored, skipped: repeats }: Pick<ArchiveContents, 'stored' | 'skipped'>,
  { skipped, lookalikes }: SkippedEntries,
): LoadReport {
  const needed = [...closed.needed];
  const stored = needed.filter(([digest]) => allStored.has(digest));
  const unneeded = [...allStored].filter(([digest]) => !closed.needed.has(digest));
  return {
    images: closed.images,
    leftOut: closed.leftOut,
    moved: closed.moved,
    blobs: {
      stored: stored.length,
      present: needed.length - stored.length,
      skipped: skipped.count + repeats.count + unneeded.length,
      bytesStored: bytesOfBlobs(stored),
      bytesSkipped: skipped.bytes + repeats.bytes + bytesOfBlobs(unneeded),
    },
    warnings: [...lookalikes.map(lookalikeWarning), ...closed.warnings],
    ...(closed.trust && { trust: closed.trust }),
    incomplete: closed.incomplete,
  };
}

function lookalikeWarning(name: string): Warning {
  const message = `the archive also has ${name} in another case, which was ignored; a disk that ignores case keeps only one of them`;
  return { code: 'WARN_ENTRY_IGNORED', message };
}
