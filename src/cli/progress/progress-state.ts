import type { ActiveBlob, ProgressEvent, ProgressKind } from '../../model/progress-event.js';

/** What is shown of an operation. */
export interface Shown {
  readonly op: string;
  readonly image?: string | undefined;
  readonly platform?: string | undefined;
  readonly current: number;
  readonly total?: number | undefined;
  /** Whole percents, from 0 to 100; undefined while the total is. */
  readonly percent?: number | undefined;
  /** Bytes per second. */
  readonly rate: number;
  readonly etaMs?: number | undefined;
  readonly active: readonly (ActiveBlob & { readonly kind: ProgressKind })[];
}

/** Gathers what is shown from events. The percentage never falls. Holds the kind of each blob that has started. */
export class ProgressState {
  #shown: Shown;
  readonly #kinds = new Map<string, ProgressKind>();

  constructor(op: string) {
    this.#shown = { op, current: 0, rate: 0, active: [] };
  }

  get shown(): Shown {
    return this.#shown;
  }

  take(event: ProgressEvent): void {
    if (event.type === 'start') this.#shown = { ...this.#shown, ...(event.total && { total: event.total }) };
    if (event.type === 'blob' && event.state === 'started') this.#kinds.set(event.id, event.kind);
    if (event.type === 'blob' && event.state !== 'started') this.#kinds.delete(event.id);
    if (event.type !== 'progress') return;
    const { image, platform, current, total, rate, etaMs } = event;
    const active = event.active.map((blob) => ({ ...blob, kind: this.#kinds.get(blob.id) ?? ('other' as const) }));
    this.#shown = {
      op: this.#shown.op,
      image: image ?? this.#shown.image,
      platform: image === undefined ? this.#shown.platform : platform,
      current,
      total,
      percent: total === undefined ? undefined : Math.max(this.#shown.percent ?? 0, percentOf(current, total)),
      rate,
      etaMs,
      active,
    };
  }
}

function percentOf(current: number, total: number): number {
  return total <= 0 ? 100 : Math.max(0, Math.min(100, Math.floor((current / total) * 100)));
}
