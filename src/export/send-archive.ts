import { throwIfAborted } from '../model/aborted.js';
import { archiveChunks } from '../pump/archive-chunks.js';
import { isWorthThreads, type PumpEntry } from '../pump/pump-tasks.js';
import { reporting, type Reported } from '../progress/reporting.js';
import type { ImageSource } from '../stores/store.js';
import { labelOf } from '../survey/reports.js';
import type { ExportPlan } from './plan-export.js';
import { PlanProgress, saveReportOf } from './plan-progress.js';
import { withFiles } from './with-files.js';

/** Takes a chunk. Its memory is used again once the promise is fulfilled. */
export type SendChunk = (chunk: Buffer) => Promise<void>;

/** Whether a thread would make the archive faster than a stream: a large one, with plain headers. */
export function canSend({ entries }: ExportPlan): boolean {
  return isWorthThreads(entries);
}

/**
 * Lets a thread make the archive of a plan, with the same bytes as `exportImages`, and sends it chunk by chunk. Every blob
 * is verified; an error or an abort ends the archive inside an entry. Returns false, with nothing sent, if the blobs are
 * not in files. Throws the errors of `exportImages`, and those of `send`.
 */
export async function sendArchive(
  source: ImageSource,
  plan: ExportPlan,
  { send, signal }: { readonly send: SendChunk; readonly signal: AbortSignal },
): Promise<boolean> {
  let isSent = false;
  const about = () => ({ images: plan.images.map(labelOf), platforms: [], store: source });
  await reporting({ op: 'save', about, onProgress: undefined, signal }, async (reported) => {
    isSent = await withFiles(source, plan, async (entries) => await sendChunks(plan, entries, send, reported));
    return saveReportOf(plan);
  });
  return isSent;
}

async function sendChunks(
  plan: ExportPlan,
  entries: readonly PumpEntry[],
  send: SendChunk,
  { signal, progress }: Reported,
): Promise<void> {
  let position = 0;
  PlanProgress.start(progress, plan, () => position);
  try {
    for await (const chunk of archiveChunks(entries, signal)) {
      await send(chunk);
      position += chunk.length;
    }
  } catch (error) {
    // What else fails then only comes of the abort.
    throwIfAborted(signal, 'the save');
    throw error;
  }
}
