import { BLOB_CHANNEL, traced, WARNING_CHANNEL, type TraceContext } from '../flow/tracing.js';
import type { OnProgress, ProgressOperation } from '../model/progress-event.js';
import { Progress } from './progress.js';

/** What is reported, and to whom. */
export interface Reporting {
  readonly op: ProgressOperation;
  readonly about: () => Omit<TraceContext, 'op'>;
  readonly onProgress: OnProgress | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A progress if anybody listens, and the signal that the work must heed. */
export interface Reported {
  readonly progress: Progress | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs an operation and tells of it: to the listener, and on the channels for tracing. `work` calls `start`. Its result
 * is the report. While nobody listens, `progress` is undefined, and nothing is counted.
 */
export async function reporting<Report extends object>(
  { op, about, onProgress, signal }: Reporting,
  work: (reported: Reported) => Promise<Report>,
): Promise<Report> {
  return await traced(op, about, async () => {
    if (onProgress === undefined && !BLOB_CHANNEL.hasSubscribers && !WARNING_CHANNEL.hasSubscribers)
      return await work({ progress: undefined, signal });
    const progress = new Progress(op, onProgress ?? (() => {}), () => performance.now());
    const stopHeeding = progress.heed(signal);
    try {
      const report = await work({ progress, signal: progress.signal });
      progress.succeed(report);
      return report;
    } catch (error) {
      throw progress.fail(error);
    } finally {
      stopHeeding();
    }
  });
}
