import { TAR_END_BYTES, tarEntryBytes } from '../model/archive-layout.js';
import { LadingError } from '../model/errors.js';
import type { PlannedEntry } from './lay-out-archive.js';
import type { ExportPlan } from './plan-export.js';

/** A part of an archive, in bytes. `end` is not included. */
export interface PlanRange {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** The entries that a part of an archive touches, and where the first one begins. */
export interface PlanPart {
  readonly plan: ExportPlan;
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}

/** The part of a plan. Throws ERR_OPTION_INVALID for a part that is not in the archive. */
export function partOf(plan: ExportPlan, { start = 0, end = plan.size }: PlanRange): PlanPart {
  if (start > end || end > plan.size) throw outside(plan);
  const entries = plan.entries.filter((entry) => entry.offset < end && endOf(entry) > start);
  // A part of the end of the archive touches no entry.
  const offset = entries[0]?.offset ?? (start >= plan.size - TAR_END_BYTES ? plan.size - TAR_END_BYTES : start);
  return { plan: { ...plan, entries }, offset, start, end };
}

/** Where an entry ends, with its padding. */
export function endOf({ name, offset, size }: PlannedEntry): number {
  return offset + tarEntryBytes(name, size);
}

function outside({ size }: ExportPlan): LadingError {
  const message = `start and end must be a part of the archive, which has ${size} bytes`;
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'start' } });
}
