import type { ErrorCategory } from './errors.js';

/** Version of the shape of the events. Events and fields may be added to it; a change that breaks readers is `v2`. */
export const PROGRESS_SCHEMA = 'dev.lading.progress.v1';

/** What runs: a save, a load, a copy (a pull and a push too), or a verification. */
export type ProgressOperation = 'save' | 'load' | 'copy' | 'verify';

/** An image that is on its way, as far as it is known at the start. `platforms` are those that come along. */
export interface ProgressImage {
  readonly name?: string;
  readonly digest: string;
  readonly platforms: readonly string[];
}

/** What a blob is, as far as the documents read so far tell. */
export type ProgressKind = 'layer' | 'config' | 'manifest' | 'index' | 'other';

/** A blob on its way: the digest, or the name of a file of an archive without one, and its bytes so far and in all. */
export interface ActiveBlob {
  readonly id: string;
  readonly current: number;
  readonly total: number;
}

/** The first event, once. `total`: all bytes, if they are known. `resumedAt`: the bytes that were there before. */
export interface StartEvent {
  readonly type: 'start';
  readonly schema: typeof PROGRESS_SCHEMA;
  readonly op: ProgressOperation;
  readonly total?: number;
  readonly resumedAt?: number;
  /** At most 1000, and those that are known: the list of an archive may come later. */
  readonly images: readonly ProgressImage[];
  /** How many more there are. */
  readonly imagesLeftOut?: number;
}

/**
 * A blob has started, if it has 1 MiB or more; or it is over: `done` (verified, and written if this writes), `present`
 * (the destination had it), `skipped` (nothing needs it). Each blob has one of these three, if nothing fails before.
 */
export interface BlobEvent {
  readonly type: 'blob';
  readonly id: string;
  readonly kind: ProgressKind;
  readonly state: 'started' | 'done' | 'present' | 'skipped';
  readonly total: number;
  readonly image?: string;
  readonly platform?: string;
}

/**
 * The bytes so far: at most ten times a second, and once at the end. `total` never grows. `rate` is in bytes per second,
 * the mean of the last five seconds; `etaMs` is left out while it cannot be told.
 */
export interface BytesEvent {
  readonly type: 'progress';
  readonly current: number;
  readonly total?: number;
  readonly rate: number;
  readonly etaMs?: number;
  readonly image?: string;
  readonly platform?: string;
  readonly active: readonly ActiveBlob[];
}

/** Something that the caller should know, and that does not stop the work: a warning of the report. */
export interface WarningEvent {
  readonly type: 'warning';
  readonly code: string;
  readonly message: string;
}

/** The error that ended an operation. */
export interface ProgressError {
  readonly code: string;
  readonly category: ErrorCategory | 'unexpected';
  readonly message: string;
  readonly details: object;
}

/** The last event, once: the report of the operation, or its error. */
export type EndEvent =
  | { readonly type: 'end'; readonly ok: true; readonly report: object }
  | { readonly type: 'end'; readonly ok: false; readonly error: ProgressError };

/** What a long call tells while it runs: one start, then blobs, bytes and warnings, then one end. */
export type ProgressEvent = StartEvent | BlobEvent | BytesEvent | WarningEvent | EndEvent;

/** Is told each event at once, and must be quick. If it throws, the operation fails with that error. */
export type OnProgress = (event: ProgressEvent) => void;
