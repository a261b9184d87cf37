import { historyOf as stepsOf, type ManifestDescription } from '../../index.js';
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

/** The steps that made an image, newest first. `Size` is that of the stored layer, since nothing is unpacked. */
export function historyOf(
  { config, manifest }: ManifestDescription,
  id: string,
  tags: readonly string[],
): readonly HistoryItem[] {
  const sizes = (manifest?.layers ?? []).map(({ size }) => size);
  const items = stepsOf(config ?? {}).map((step): HistoryItem => ({
    Id: '<missing>',
    Created: unixSeconds(step.created),
    CreatedBy: step.createdBy,
    Tags: null,
    Size: step.isEmpty ? 0 : (sizes.shift() ?? 0),
    Comment: step.comment,
  }));
  return items.toReversed().map((item, at) => (at === 0 ? { ...item, Id: id, Tags: tags } : item));
}
