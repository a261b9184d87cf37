import { DescriptorOutput } from '../files/descriptor-output.js';
import type { OnProgress } from '../model/progress-event.js';
import { CALLBACK, check, FLAG, optionsOf, SIGNAL, wholeNumber } from '../model/rules.js';
import { reporting, type Reported } from '../progress/reporting.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { labelOf } from '../survey/reports.js';
import { PLAN, streamTo } from './export-images.js';
import { PlanProgress, saveReportOf } from './plan-progress.js';
import type { ExportPlan } from './plan-export.js';
import { withFiles } from './with-files.js';

/** The largest number of a descriptor. */
const MAX_FD = 2 ** 31 - 1;

/** Where an archive goes. */
export interface WriteArchiveOptions {
  /** An open file descriptor. It stays open. */
  readonly fd: number;
  /** False: writes a pipe without native calls, as where the optional package koffi is missing. Default true. */
  readonly native?: boolean;
  /** Is told the progress, see `ProgressEvent`. */
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

const ARGUMENTS = {
  source: SOURCE,
  plan: PLAN,
  options: optionsOf<WriteArchiveOptions>(
    { fd: wholeNumber(MAX_FD), native: FLAG, onProgress: CALLBACK, signal: SIGNAL },
    ['fd'],
  ),
};

/**
 * Writes the archive of a plan into a file descriptor, with the same bytes as {@link exportImages}. Large blobs
 * go from a directory store into a pipe without a copy in this process, where that can be done. Every blob is verified; an error
 * or an abort ends the archive inside an entry. Throws the errors of `exportImages`, and those of writing.
 */
export async function writeArchive(source: ImageSource, plan: ExportPlan, options: WriteArchiveOptions): Promise<void> {
  check(ARGUMENTS, { source, plan, options });
  const { fd, native = true, onProgress, signal } = options;
  const about = () => ({ images: plan.images.map(labelOf), platforms: [], store: source });
  await reporting({ op: 'save', about, onProgress, signal }, async (reported) => {
    const isPumped = native && (await pumped(source, plan, fd, reported));
    if (!isPumped) await streamTo(new DescriptorOutput(fd), source, plan, reported);
    return saveReportOf(plan);
  });
}

/** Returns false, with nothing written, if the descriptor is no pipe for a pump, or the blobs are not in files. */
async function pumped(
  source: ImageSource,
  plan: ExportPlan,
  fd: number,
  { signal, progress }: Reported,
): Promise<boolean> {
  // Loaded only if it is wanted: a save starts sooner without it.
  const { canPump, pumpArchive } = await import('../pump/archive-pump.js');
  if (!canPump(fd, plan.entries)) return false;
  return await withFiles(source, plan, async (entries) => {
    await pumpArchive(fd, entries, {
      signal,
      onStart: (position) => PlanProgress.start(progress, plan, position),
    });
  });
}
