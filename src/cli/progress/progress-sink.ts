import type { ProgressError, ProgressEvent } from '../../model/progress-event.js';

/** How a command ended. */
export interface ProgressEnd {
  readonly status: number;
  readonly error?: ProgressError | undefined;
  readonly report?: object | undefined;
}

/** One way to show progress. */
export interface ProgressSink {
  take(event: ProgressEvent): void;
  /** Takes away what is drawn. */
  clear?(): void;
  end(end: ProgressEnd): void;
}
