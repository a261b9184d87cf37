import type { LayerReport } from '../inspect/platform-facts.js';
import type { InspectionReport } from '../inspect/inspection-report.js';
import { rowsOf, type InspectionRow } from '../inspect/sharing.js';
import type { Digest } from '../model/digest.js';
import { oneLine, shortId } from '../model/shown-text.js';
import { labelOfTag } from '../model/image-list.js';
import { labelOf } from '../survey/reports.js';

/** One platform of one image as the page shows it. */
export interface PageRow extends InspectionRow {
  /** The id of its details in the page. */
  readonly id: string;
  readonly label: string;
  readonly state: 'complete' | 'incomplete' | 'absent';
}

/** How a layer is marked in picture and tables: its letter, and the class of its hue. Empty for a layer of one row. */
export interface Mark {
  readonly letter: string;
  readonly hue: string;
}

/** What all parts of a page need to know. */
export interface PageModel {
  readonly report: InspectionReport;
  readonly rows: readonly PageRow[];
  readonly isOneImage: boolean;
  /** The rows that use each layer. */
  readonly users: ReadonlyMap<Digest, readonly PageRow[]>;
  readonly marks: ReadonlyMap<Digest, Mark>;
}

/** So many hues can be told apart; further shared layers are grey and have only their letters. */
const HUES = 8;

export const SIGNS = { complete: '●', incomplete: '◐', absent: '○' } as const;

export function pageModelOf(report: InspectionReport): PageModel {
  const rows = rowsOf(report.images).map((row, at): PageRow => ({
    ...row,
    id: `r${at}`,
    label: nameOf(row.image),
    state: stateOf(row),
  }));
  const users = new Map<Digest, PageRow[]>();
  for (const row of rows) {
    for (const digest of new Set(layersOf(row).map((layer) => layer.digest))) {
      const known = users.get(digest);
      if (known === undefined) users.set(digest, [row]);
      else known.push(row);
    }
  }
  const marks = report.sharedLayers.map(
    ({ digest, letter }, at) => [digest, { letter, hue: at < HUES ? `h${at}` : 'own' }] as const,
  );
  return { report, rows, isOneImage: report.images.length === 1, users, marks: new Map(marks) };
}

/** The layers of a row, bottom first; none if its manifest is not here. */
export function layersOf({ platform }: InspectionRow): readonly LayerReport[] {
  return platform.layers ?? [];
}

export function nameOf({ name, tag, digest }: InspectionRow['image']): string {
  if (name === undefined) return labelOfTag({ tag }) ?? shortId(digest);
  return labelOf({ name, digest });
}

function stateOf({ platform: { state, manifest } }: InspectionRow): PageRow['state'] {
  if (state === 'complete') return 'complete';
  return manifest === undefined ? 'absent' : 'incomplete';
}

/** What made a layer, on one line. */
export function instructionOf(createdBy: string | undefined): string {
  return oneLine(createdBy ?? '');
}
