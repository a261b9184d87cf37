import type { ThreadError } from '../model/thread-error.js';

/* The messages between PipeReader and its thread. After `end` the thread ends. */

/** `read`: some bytes. `pour`: bytes into an open file. `skip`: bytes that nobody needs. */
export type PipeTask =
  | { readonly kind: 'read' }
  | { readonly kind: 'pour'; readonly target: number; readonly bytes: number }
  | { readonly kind: 'skip'; readonly bytes: number };

/** `bytes`: how many were poured or skipped: fewer if the input ended. `chunk`: empty at the end of the input. */
export type PipeAnswer =
  { readonly chunk: Uint8Array<ArrayBuffer> } | { readonly bytes: number } | { readonly error: ThreadError };

/**
 * `pipe`: a non-blocking descriptor. `stopped`: not 0 once every task must end early. `moved`: bytes that the task has
 * poured or skipped so far.
 */
export interface PipeThreadData {
  readonly pipe: number;
  readonly stopped: Int32Array;
  readonly moved: BigInt64Array;
}
