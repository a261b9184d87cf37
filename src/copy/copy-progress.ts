import type { ExportPlan } from '../export/plan-export.js';
import { placesOf, reportedBlob, startedImages } from '../export/plan-progress.js';
import type { Measure, Progress, ReportedBlob } from '../progress/progress.js';
import type { CopyEvent } from './copy-blobs.js';

/**
 * Tells the progress of a copy from what happens to its blobs. The total is what the destination lacks: it shrinks by each
 * blob that is found there. Holds a record for each blob of the plan.
 */
export class CopyProgress {
  readonly #progress: Progress;
  readonly #blobs = new Map<string, ReportedBlob>();
  readonly #active = new Map<string, number>();
  #total = 0;
  #done = 0;
  /** A body that is cut may start anew; what is told never falls. */
  #told = 0;
  /** What moved last. */
  #latest: ReportedBlob | undefined;

  /** Tells the start and the warnings of the plan. */
  constructor(progress: Progress, plan: ExportPlan) {
    this.#progress = progress;
    const places = placesOf(plan.images);
    for (const entry of plan.entries) {
      const blob = reportedBlob(entry, places);
      if (blob === undefined || this.#blobs.has(blob.id)) continue;
      this.#blobs.set(blob.id, blob);
      this.#total += blob.total;
    }
    progress.start({ total: this.#total, ...startedImages(plan) }, this.#measure);
    progress.warn(plan.warnings);
  }

  readonly take = ({ digest, state, bytes }: CopyEvent): void => {
    const blob = this.#blobs.get(digest);
    if (blob === undefined || state === 'waiting') return;
    if (state === 'copying') {
      this.#latest = blob;
      this.#active.set(digest, Math.min(bytes, blob.total));
      return this.#progress.blobStarted(blob);
    }
    this.#active.delete(digest);
    if (state === 'copied') this.#done += blob.total;
    else this.#total -= blob.total;
    this.#progress.blobOver(blob, state === 'copied' ? 'done' : 'present');
  };

  readonly #measure = (): Measure => {
    const active = [...this.#active].map(([id, current]) => ({ id, current, total: this.#blobs.get(id)?.total ?? 0 }));
    const moving = active.reduce((sum, { current }) => sum + current, 0);
    const { image, platform } = this.#latest ?? {};
    this.#told = Math.max(this.#told, this.#done + moving);
    return { current: this.#told, total: this.#total, image, platform, active };
  };
}
