import { LadingError } from './errors.js';

/** Throws ERR_ABORTED if the signal is aborted. `doing` says what is aborted, such as `the load`. */
export function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw new LadingError('ERR_ABORTED', `${doing} was aborted`, { cause: signal.reason });
}
