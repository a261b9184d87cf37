import { BLOB_CHANNEL, WARNING_CHANNEL } from '../flow/tracing.js';
import { asError, LadingError } from '../model/errors.js';
import {
  PROGRESS_SCHEMA,
  type ActiveBlob,
  type BlobEvent,
  type OnProgress,
  type ProgressError,
  type ProgressEvent,
  type ProgressOperation,
  type StartEvent,
} from '../model/progress-event.js';
import { Rate } from './rate.js';

/** How often bytes are told, in milliseconds. */
const TICK_MS = 100;

/** The same bytes are told again after this, so that a rate can fall. */
const QUIET_MS = 1000;

/** A smaller blob is over before anybody could read that it has started. */
const STARTED_BYTES = 1024 * 1024;

/** The bytes so far, and what is on its way. */
export interface Measure {
  readonly current: number;
  readonly total?: number | undefined;
  readonly image?: string | undefined;
  readonly platform?: string | undefined;
  readonly active: readonly ActiveBlob[];
}

/** Images that a start names at most. */
export const MAX_IMAGES = 1000;

/** A blob as its events have it. */
export type ReportedBlob = Omit<BlobEvent, 'type' | 'state'>;

/**
 * Tells a listener how an operation goes: one start, then blobs, bytes and warnings, then one end. Bytes are looked at ten
 * times a second, so whoever moves them only counts. If the listener throws, `signal` aborts. Holds one digest for each
 * large blob that has started and is not over.
 */
export class Progress {
  readonly #op: ProgressOperation;
  readonly #listener: OnProgress;
  readonly #now: () => number;
  readonly #controller = new AbortController();
  readonly #startedBlobs = new Set<string>();
  #phase: 'new' | 'started' | 'ended' = 'new';
  #failure: Error | undefined;
  #measure: (() => Measure) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #rate: Rate | undefined;
  #last: { readonly at: number; readonly current: number } | undefined;
  #total: number | undefined;

  /** `now` in milliseconds, of a clock that never goes back. */
  constructor(op: ProgressOperation, listener: OnProgress, now: () => number) {
    this.#op = op;
    this.#listener = listener;
    this.#now = now;
  }

  /** Aborts when the listener has thrown, or with the signal that is heeded. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the listener has thrown. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Lets the caller's signal abort this one. Returns a function that ends that. */
  heed(signal: AbortSignal | undefined): () => void {
    const abort = (): void => this.#controller.abort(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    return () => signal?.removeEventListener('abort', abort);
  }

  /** Tells the start; only the first call counts. From now on bytes are told as `measure` finds them. */
  start({ images, total, ...more }: Omit<StartEvent, 'type' | 'schema' | 'op'>, measure?: () => Measure): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'started';
    this.#total = total;
    this.#tell({
      type: 'start',
      schema: PROGRESS_SCHEMA,
      op: this.#op,
      ...(total !== undefined && { total }),
      ...more,
      images,
    });
    if (measure === undefined) return;
    this.#measure = measure;
    this.#rate = new Rate(this.#now(), more.resumedAt ?? 0);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Tells that a blob has started, if it is large; only once. */
  blobStarted(blob: ReportedBlob): void {
    if (blob.total < STARTED_BYTES || this.#startedBlobs.has(blob.id)) return;
    this.#startedBlobs.add(blob.id);
    this.#tellBlob({ type: 'blob', ...blob, state: 'started' });
  }

  /** Tells that a blob is over. */
  blobOver(blob: ReportedBlob, state: Exclude<BlobEvent['state'], 'started'>): void {
    if (state === 'done') this.blobStarted(blob);
    this.#startedBlobs.delete(blob.id);
    this.#tellBlob({ type: 'blob', ...blob, state });
  }

  warn(warnings: readonly { readonly code: string; readonly message: string }[]): void {
    for (const { code, message } of warnings) {
      const event = { type: 'warning', code, message } as const;
      if (WARNING_CHANNEL.hasSubscribers) WARNING_CHANNEL.publish(event);
      this.#tell(event);
    }
  }

  /** Tells the last bytes, and the end. Throws what the listener has thrown, whenever that was. */
  succeed(report: object): void {
    this.#stop();
    this.start({ images: [] });
    this.#tellBytes();
    this.#end({ type: 'end', ok: true, report });
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Tells the end. Returns the error to throw: what the listener has thrown comes first. */
  fail(error: unknown): unknown {
    this.#stop();
    const shown = this.#failure ?? error;
    if (this.#failure === undefined) {
      this.start({ images: [] });
      if (this.#measure !== undefined) this.#tellBytes();
    }
    this.#end({ type: 'end', ok: false, error: described(shown) });
    return shown;
  }

  /** No further bytes are looked at: what is measured may be closed. */
  #stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const measure = this.#measure?.();
    const now = this.#now();
    if (measure === undefined) return;
    const isSame = this.#last !== undefined && measure.current === this.#last.current && now - this.#last.at < QUIET_MS;
    if (!isSame) this.#tellMeasure(measure, now);
  }

  #tellBytes(): void {
    this.#tellMeasure(this.#measure?.() ?? { current: 0, active: [] }, this.#now());
  }

  #tellMeasure({ current, total, image, platform, active }: Measure, now: number): void {
    const rate = this.#rate?.at(now, current) ?? 0;
    this.#last = { at: now, current };
    this.#total = total === undefined ? undefined : Math.max(current, Math.min(total, this.#total ?? total));
    const etaMs = this.#total === undefined ? undefined : this.#rate?.left(now, rate, this.#total - current);
    this.#tell({
      type: 'progress',
      current,
      ...(this.#total !== undefined && { total: this.#total }),
      rate,
      ...(etaMs !== undefined && { etaMs }),
      ...(image !== undefined && { image }),
      ...(platform !== undefined && { platform }),
      active,
    });
  }

  #tellBlob(event: BlobEvent): void {
    if (BLOB_CHANNEL.hasSubscribers) BLOB_CHANNEL.publish(event);
    this.#tell(event);
  }

  #end(event: ProgressEvent): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#call(event);
  }

  /** After an error of the listener only the end is told. */
  #tell(event: ProgressEvent): void {
    if (this.#failure === undefined && this.#phase === 'started') this.#call(event);
  }

  #call(event: ProgressEvent): void {
    try {
      const returned: unknown = this.#listener(event);
      // A listener may be an async function, whose error would end the process. It is not waited for.
      Promise.resolve(returned).catch((error: unknown) => this.#failWith(error));
    } catch (error) {
      this.#failWith(error);
    }
  }

  #failWith(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = cause instanceof LadingError ? cause : failureOf(cause);
    this.#controller.abort(this.#failure);
  }
}

function failureOf(cause: unknown): LadingError {
  const message = `onProgress failed: ${asError(cause).message}`;
  return new LadingError('ERR_OPTION_INVALID', message, { cause, details: { option: 'onProgress' } });
}

/** An error as events have it. */
function described(thrown: unknown): ProgressError {
  if (thrown instanceof LadingError) {
    const { code, category, message, details } = thrown;
    return { code, category, message, details };
  }
  const { message } = asError(thrown);
  const { code } = asError(thrown) as NodeJS.ErrnoException;
  return { code: typeof code === 'string' ? code : 'ERR_UNEXPECTED', category: 'unexpected', message, details: {} };
}
