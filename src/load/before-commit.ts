import { throwIfAborted } from '../model/aborted.js';
import { decorated } from '../model/decorated.js';
import { asError, LadingError } from '../model/errors.js';
import { loadGraphOf, type GraphSources, type LoadGraph } from './load-graph.js';

/**
 * Called once with what a load is about to make visible. If it throws, nothing becomes visible. `signal` is that of the
 * load.
 */
export type BeforeCommit = (graph: LoadGraph, options: { readonly signal?: AbortSignal }) => void | Promise<void>;

/**
 * Asks the hook. What it throws ends the load: a LadingError as it is, anything else as the cause of an ERR_LOAD_VETOED.
 * An abort of the load does not wait for a hook that hangs.
 */
export async function askBeforeCommit(
  beforeCommit: BeforeCommit | undefined,
  sourcesOf: () => Promise<GraphSources>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (beforeCommit === undefined) return;
  const sources = await sourcesOf();
  const asking = { isOver: false };
  const provider = decorated(sources.provider, {
    open: (digest, options) => {
      if (asking.isOver) throw new LadingError('ERR_ABORTED', 'the load is over; its blobs cannot be read by the hook');
      return sources.provider.open(digest, options);
    },
  });
  const graph = await loadGraphOf({ ...sources, provider });
  try {
    await untilAborted(async () => await beforeCommit(graph, { ...(signal && { signal }) }), signal);
  } catch (error) {
    if (signal?.aborted === true) throw new UnansweredHook();
    if (error instanceof LadingError) throw error;
    const message = `nothing was loaded: beforeCommit refused it: ${asError(error).message}`;
    throw new LadingError('ERR_LOAD_VETOED', message, { cause: error });
  } finally {
    asking.isOver = true;
  }
}

/** The load was aborted while its hook was asked: nothing of it stays for a second try, since nobody agreed to it. */
export class UnansweredHook extends LadingError {
  constructor() {
    super('ERR_ABORTED', 'the load was aborted while beforeCommit was asked');
  }
}

/** Ends with the work, or with the abort: what the work does after that is nobody's concern. */
async function untilAborted(work: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const aborted = new AbortController();
  const abort = new Promise<void>((_, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true, signal: aborted.signal });
  });
  try {
    throwIfAborted(signal, 'the load');
    await Promise.race([work(), abort]);
  } finally {
    aborted.abort();
  }
}
