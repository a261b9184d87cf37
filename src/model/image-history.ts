import type { ImageConfig } from './image-config.js';
import { OBJECT } from './rules.js';

/** One step that made an image, as its config tells it (image-spec, "Properties", `history`). Absent texts are `''`. */
export interface HistoryStep {
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** Whether the step made no layer. */
  readonly isEmpty: boolean;
}

/** The steps of a config's history, oldest first; none if there is no usable history. */
export function historyOf(config: ImageConfig): readonly HistoryStep[] {
  OBJECT(config, 'config');
  const history: unknown = 'history' in config ? config.history : undefined;
  if (!Array.isArray(history)) return [];
  return history
    .filter((step): step is Step => typeof step === 'object' && step !== null)
    .map((step) => ({
      created: textOf(step.created),
      createdBy: textOf(step.created_by),
      comment: textOf(step.comment),
      isEmpty: step.empty_layer === true,
    }));
}

interface Step {
  readonly created?: unknown;
  readonly created_by?: unknown;
  readonly comment?: unknown;
  readonly empty_layer?: unknown;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
