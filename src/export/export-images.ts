import { PassThrough, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SliceBytes } from '../flow/slice-bytes.js';
import { throwIfAborted } from '../model/aborted.js';
import { asError, LadingError } from '../model/errors.js';
import type { OnProgress } from '../model/progress-event.js';
import {
  CALLBACK,
  check,
  fields,
  listOf,
  listOr,
  OBJECT,
  oneOf,
  optionsOf,
  TEXT,
  wholeNumber,
} from '../model/rules.js';
import { reporting, type Reported } from '../progress/reporting.js';
import { TarPack } from '../stages/tar-pack.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { NAMES } from '../survey/option-rules.js';
import { labelOf } from '../survey/reports.js';
import { exportEntries } from './export-entries.js';
import { EXPORT_RULES, planExport, type ExportOptions, type ExportPlan } from './plan-export.js';
import { partOf, type PlanPart } from './plan-part.js';
import { PlanProgress, saveReportOf, type SaveReport } from './plan-progress.js';

/** What to export, and whom to tell of it. */
export interface ExportImagesOptions extends ExportOptions {
  /** Is told the progress, see `ProgressEvent`. */
  readonly onProgress?: OnProgress;
  /**
   * Only these bytes of the archive, from `start` (default 0) up to `end` (default: the size of the plan). Blobs at the
   * edges are read and verified whole, before the last byte of the part comes.
   */
  readonly start?: number;
  readonly end?: number;
}

/**
 * The archive of a plan, or of the named images, as a byte stream. Its blobs are claimed before the first byte, so that
 * they cannot be removed before the stream is over. Every blob is verified while it is packed. An error destroys the
 * stream, which then never ends as if it were whole. Holds a few chunks of 256 KiB, and one digest for each blob.
 */
export function exportImages(
  source: ImageSource,
  wanted: ExportPlan | readonly string[],
  options: ExportImagesOptions = {},
): Readable {
  const archive = newArchive();
  // Destroys the archive if no pipeline did, so that its reader gets the error, also of a wrong argument.
  const fail = (error: unknown): unknown => archive.destroy(asError(error));
  if (!isPart(options)) {
    exportWanted(archive, source, wanted, options).catch(fail);
    return archive;
  }
  const part = new PassThrough();
  part.on('error', () => {});
  const cut = ({ offset, start, end }: PlanPart): void => {
    const slice = new SliceBytes({ start: start - offset, end: end - offset }, async () => await made);
    pipeline(archive, slice, part).catch(() => {});
  };
  // Until its bytes are asked for, the archive has no reader, whose end would end it.
  part.once('close', () => archive.destroy());
  const made = exportWanted(archive, source, wanted, options, cut);
  made.catch((error: unknown) => part.destroy(asError(error)));
  return part;
}

/** Nothing was checked before this. */
function isPart(options: ExportImagesOptions | null): boolean {
  return (options?.start ?? options?.end) !== undefined;
}

function newArchive(): TarPack {
  const archive = new TarPack();
  // Without a listener, an abort before the first read would crash the process; later readers still get the error.
  archive.on('error', () => {});
  return archive;
}

const PLANNED = fields({ name: TEXT, type: oneOf('file', 'directory'), size: wholeNumber(), content: OBJECT });

const PLAN_FIELDS = { size: wholeNumber(), entries: listOf(PLANNED), images: listOf(fields({ digest: TEXT })) };

/** A plan as an argument. */
export const PLAN = fields(PLAN_FIELDS, 'a plan');

const ARGUMENTS = {
  source: SOURCE,
  wanted: listOr(NAMES, fields(PLAN_FIELDS, 'a plan or a list of names')),
  options: optionsOf<ExportImagesOptions>({
    ...EXPORT_RULES,
    onProgress: CALLBACK,
    start: wholeNumber(),
    end: wholeNumber(),
  }),
};

async function exportWanted(
  archive: TarPack,
  source: ImageSource,
  wanted: ExportPlan | readonly string[],
  options: ExportImagesOptions,
  cut: (part: PlanPart) => void = () => {},
): Promise<void> {
  check(ARGUMENTS, { source, wanted, options });
  const { onProgress, signal, start, end, ...choosing } = options;
  const about = () => ({
    images: isPlan(wanted) ? wanted.images.map(labelOf) : wanted,
    platforms: options.platforms ?? [],
    store: source,
  });
  await reporting({ op: 'save', about, onProgress, signal }, async (reported) => {
    const planned = async (): Promise<ExportPlan> =>
      isPlan(wanted)
        ? wanted
        : await planExport(source, wanted, { ...choosing, ...(reported.signal && { signal: reported.signal }) });
    const part = async (): Promise<PlanPart> => {
      const found = partOf(await planned(), { start, end });
      cut(found);
      return found;
    };
    return await exportUntilAbort(archive, source, part, reported);
  });
}

/** Writes the archive of a plan into a stream, to its end. */
export async function streamTo(to: Writable, source: ImageSource, plan: ExportPlan, reported: Reported): Promise<void> {
  const archive = newArchive();
  exportUntilAbort(archive, source, async () => partOf(plan, {}), reported).catch((error: unknown) =>
    archive.destroy(asError(error)),
  );
  await pipeline(archive, to);
}

async function exportUntilAbort(
  archive: TarPack,
  source: ImageSource,
  part: () => Promise<PlanPart>,
  reported: Reported,
): Promise<SaveReport> {
  const stopListening = destroyOnAbort(archive, reported);
  try {
    return await exportTo(archive, source, await part(), reported);
  } finally {
    stopListening();
  }
}

async function exportTo(
  archive: TarPack,
  source: ImageSource,
  { plan, offset, start }: PlanPart,
  { progress, signal }: Reported,
): Promise<SaveReport> {
  const reader = await source.reader();
  try {
    // Node 24 would tell of an archive that was destroyed before in words of its own.
    throwIfAborted(signal, 'the export');
    // Bodies are read after their entries were made, so the claims last until the archive ends.
    PlanProgress.start(progress, plan, () => offset + archive.position, start);
    await pipeline(exportEntries(reader, plan), new VerifyDigests(), archive);
    return saveReportOf(plan);
  } finally {
    await reader.end();
  }
}

function isPlan(wanted: ExportPlan | readonly string[]): wanted is ExportPlan {
  return !Array.isArray(wanted);
}

function destroyOnAbort(archive: Readable, { signal, progress }: Reported): () => void {
  const abort = (): void => {
    const aborted = new LadingError('ERR_ABORTED', 'the export was aborted', { cause: signal?.reason });
    archive.destroy(progress?.failure ?? aborted);
  };
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}
