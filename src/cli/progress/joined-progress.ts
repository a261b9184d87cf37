import type {
  ActiveBlob,
  BlobEvent,
  BytesEvent,
  OnProgress,
  ProgressError,
  ProgressEvent,
} from '../../model/progress-event.js';
import { Progress, type Measure } from '../../progress/progress.js';

/** How far one of the operations is. Its total is unknown until it has told one. */
interface Part {
  readonly current: number;
  readonly total?: number | undefined;
  readonly active: readonly ActiveBlob[];
}

const NOTHING: Part = { current: 0, active: [] };

/**
 * Several copies at the same time, told as one: their bytes are added up. The total is told when it is known of each, so
 * that it never grows. A blob that several of them need is over once. Holds the last bytes event of each copy, and a digest
 * for each blob.
 */
export class JoinedProgress {
  readonly #listener: OnProgress;
  readonly #parts: Part[];
  readonly #joined: Progress | undefined;
  readonly #over = new Set<string>();
  #latest: BytesEvent | undefined;

  /** One copy alone is told as it is. */
  constructor(listener: OnProgress, count: number) {
    this.#listener = listener;
    this.#parts = Array.from({ length: count }, () => NOTHING);
    this.#joined = count > 1 ? new Progress('copy', listener, () => performance.now()) : undefined;
    this.#joined?.start({ images: [] }, this.#measure);
  }

  /** The listener for the copy at this position. */
  of(at: number): OnProgress {
    return (event) => {
      if (this.#joined === undefined) this.#listener(event.type === 'start' ? { ...event, op: 'copy' } : event);
      else this.#take(at, event);
    };
  }

  /** The copy is over, also if it failed or had nothing to do: what it has not copied is not to come. */
  over(at: number): void {
    const { current } = this.#parts[at] ?? NOTHING;
    this.#parts[at] = { current, total: current, active: [] };
  }

  /** Tells the failure of one of several copies. That of a copy alone is told by the end. */
  failed({ code, message }: ProgressError): void {
    if (this.#joined !== undefined) this.#listener({ type: 'warning', code, message });
  }

  /** Tells the last bytes. */
  end(): void {
    this.#joined?.succeed({});
  }

  #take(at: number, event: ProgressEvent): void {
    if (event.type === 'warning' || (event.type === 'blob' && this.#isNew(event))) return this.#listener(event);
    if (event.type === 'start') this.#parts[at] = { ...NOTHING, total: event.total };
    if (event.type !== 'progress') return;
    this.#latest = event;
    this.#parts[at] = event;
  }

  #isNew({ id, kind, state }: BlobEvent): boolean {
    const key = `${kind} ${id}`;
    if (this.#over.has(key)) return false;
    if (state !== 'started') this.#over.add(key);
    return true;
  }

  readonly #measure = (): Measure => {
    const current = this.#parts.reduce((sum, part) => sum + part.current, 0);
    const totals = this.#parts.map(({ total }) => total);
    const total = totals.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0);
    const { image, platform } = this.#latest ?? {};
    return { current, total, image, platform, active: this.#parts.flatMap(({ active }) => active) };
  };
}
