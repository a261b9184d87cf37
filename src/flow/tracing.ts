import { channel, tracingChannel, type TracingChannel } from 'node:diagnostics_channel';

/*
 * The channels of node:diagnostics_channel, for tracing. While nobody subscribes, nothing is built for them. Names and
 * shapes are in docs/progress.md.
 */

/** The operations that are traced, each on a channel of its name. */
export type TracedOperation = 'save' | 'load' | 'copy' | 'verify' | 'prune';

/** What a traced operation is about. Node adds `result` or `error`. */
export interface TraceContext {
  readonly op: TracedOperation;
  /** The names that were asked for; none for an archive that is loaded or verified. */
  readonly images: readonly string[];
  readonly platforms: readonly unknown[];
  /** The store or other place that is read or written. */
  readonly store: unknown;
}

/** Each blob that is over or has started, and each warning, as in the events of `onProgress`. */
export const BLOB_CHANNEL = channel('lading:blob');
export const WARNING_CHANNEL = channel('lading:warning');

type Traced = TracingChannel<string, TraceContext>;

const CHANNELS: Readonly<Record<TracedOperation, Traced>> = {
  save: tracingChannel('lading:save'),
  load: tracingChannel('lading:load'),
  copy: tracingChannel('lading:copy'),
  verify: tracingChannel('lading:verify'),
  prune: tracingChannel('lading:prune'),
};

/** Runs the work, traced if anybody subscribes to the channel of the operation. */
export async function traced<Result>(
  op: TracedOperation,
  about: () => Omit<TraceContext, 'op'>,
  work: () => Promise<Result>,
): Promise<Result> {
  const found = CHANNELS[op];
  return isHeard(found) ? await found.tracePromise(work, { op, ...about() }) : await work();
}

/** Runs a prune of a store, traced. */
export async function tracedPrune<Result>(store: unknown, work: () => Promise<Result>): Promise<Result> {
  return await traced('prune', () => ({ images: [], platforms: [], store }), work);
}

/** Not `hasSubscribers` of the tracing channel itself, which Node 20.19 may lack. */
function isHeard({ start, end, asyncStart, asyncEnd, error }: Traced): boolean {
  return [start, end, asyncStart, asyncEnd, error].some(({ hasSubscribers }) => hasSubscribers);
}
