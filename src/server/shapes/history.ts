import type { ManifestDescription } from '../../index.js';
import { unixSeconds } from '../times.js';

/** One step of `GET /images/{name}/history`. */
export interface HistoryItem {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

interface Step {
  readonly created?: unknown;
  readonly created_by?: unknown;
  readonly comment?: unknown;
  readonly empty_layer?: unknown;
}

/** The steps that made an image, newest first. `Size` is that of the stored layer, since nothing is unpacked. */
export function historyOf(
  { config, manifest }: ManifestDescription,
  id: string,
  tags: readonly string[],
): readonly HistoryItem[] {
  const sizes = (manifest?.layers ?? []).map(({ size }) => size);
  const items = stepsOf(config).map((step): HistoryItem => ({
    Id: '<missing>',
    Created: unixSeconds(textOf(step.created)),
    CreatedBy: textOf(step.created_by),
    Tags: null,
    Size: step.empty_layer === true ? 0 : (sizes.shift() ?? 0),
    Comment: textOf(step.comment),
  }));
  return items.toReversed().map((item, at) => (at === 0 ? { ...item, Id: id, Tags: tags } : item));
}

function stepsOf(config: ManifestDescription['config']): readonly Step[] {
  const history: unknown = { ...config }['history' as never];
  if (!Array.isArray(history)) return [];
  return history.filter((step): step is Step => typeof step === 'object' && step !== null);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
