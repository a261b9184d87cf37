import { digestOfEntry, tarEntryBytes } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import type { ProgressImage, StartEvent } from '../model/progress-event.js';
import { MAX_IMAGES, type Measure, type Progress, type ReportedBlob } from '../progress/progress.js';
import { labelOf, type ImageReport } from '../survey/reports.js';
import type { PlannedEntry } from './lay-out-archive.js';
import type { ExportPlan } from './plan-export.js';

/** The image and the platform that a manifest stands for. */
export interface Place {
  readonly image: string;
  readonly platform: string;
}

/** What is told of a plan and of its archive when that is whole. */
export type SaveReport = Pick<ExportPlan, 'size' | 'images' | 'leftOut' | 'blobs' | 'warnings' | 'incomplete'>;

export function saveReportOf({ size, images, leftOut, blobs, warnings, incomplete }: ExportPlan): SaveReport {
  return { size, images, leftOut, blobs, warnings, incomplete };
}

/**
 * Tells the progress of an archive: the plan says what stands at each position, so the number of bytes so far is enough.
 * Holds a place for each manifest of the plan.
 */
export class PlanProgress {
  readonly #progress: Progress;
  readonly #plan: ExportPlan;
  readonly #position: () => number;
  readonly #resumedAt: number;
  readonly #places: ReadonlyMap<Digest, Place>;
  /** The entry that is being written. */
  #at = 0;

  private constructor(progress: Progress, plan: ExportPlan, position: () => number, resumedAt: number) {
    this.#resumedAt = resumedAt;
    this.#progress = progress;
    this.#plan = plan;
    this.#position = position;
    this.#places = placesOf(plan.images);
  }

  /** Tells the start and the warnings of the plan. `position`: bytes of the archive so far. Does nothing without a listener. */
  static start(progress: Progress | undefined, plan: ExportPlan, position: () => number, resumedAt = 0): void {
    if (progress === undefined) return;
    const told = new PlanProgress(progress, plan, position, resumedAt);
    const start = { total: plan.size, ...(resumedAt > 0 && { resumedAt }), ...startedImages(plan) };
    progress.start(start, told.#measure);
    progress.warn(plan.warnings);
  }

  readonly #measure = (): Measure => {
    const { entries, size } = this.#plan;
    const current = Math.min(Math.max(this.#position(), this.#resumedAt), size);
    for (let entry = entries[this.#at]; entry !== undefined && isOver(entry, current, size);) {
      const blob = this.#blobOf(entry);
      if (blob !== undefined) this.#progress.blobOver(blob, 'done');
      entry = entries[(this.#at += 1)];
    }
    const entry = entries[this.#at];
    const blob = entry && this.#blobOf(entry);
    if (entry === undefined || blob === undefined) return { current, total: size, active: [] };
    const { id, total, image, platform } = blob;
    const bytes = current - entry.offset - tarEntryBytes(entry.name, 0);
    if (bytes > 0) this.#progress.blobStarted(blob);
    const active = [{ id, current: Math.max(0, Math.min(bytes, total)), total }];
    return { current, total: size, image, platform, active };
  };

  #blobOf(entry: PlannedEntry): ReportedBlob | undefined {
    return reportedBlob(entry, this.#places);
  }
}

/** The blob of an entry, as events have it; undefined for the files of the layout itself. */
export function reportedBlob(
  { name, type, size, need }: PlannedEntry,
  places: ReadonlyMap<Digest, Place>,
): ReportedBlob | undefined {
  const id = type === 'file' ? digestOfEntry(name) : undefined;
  if (id === undefined) return undefined;
  const place = need?.manifest && places.get(need.manifest);
  return { id, kind: need?.kind ?? 'other', total: size, ...place };
}

/** The images of a plan, as its start tells them. */
export function startedImages({ images }: ExportPlan): Pick<StartEvent, 'images' | 'imagesLeftOut'> {
  const more = images.length - MAX_IMAGES;
  return { images: images.slice(0, MAX_IMAGES).map(imageOf), ...(more > 0 && { imagesLeftOut: more }) };
}

/** A body is verified after its last byte, and only then the next entry begins. */
function isOver({ name, offset, size }: PlannedEntry, current: number, archiveSize: number): boolean {
  return current > offset + tarEntryBytes(name, size) || current === archiveSize;
}

/** The place of each manifest. */
export function placesOf(images: readonly ImageReport[]): ReadonlyMap<Digest, Place> {
  const places = new Map<Digest, Place>();
  for (const image of images) {
    const label = labelOf(image);
    for (const { platform, digest } of image.platforms)
      if (digest !== undefined && !places.has(digest)) places.set(digest, { image: label, platform });
  }
  return places;
}

function imageOf(image: ImageReport): ProgressImage {
  const { name, digest, platforms } = image;
  const packed = platforms.filter(({ state }) => state === 'complete').map(({ platform }) => platform);
  return { ...(name !== undefined && { name: labelOf(image) }), digest, platforms: packed };
}
