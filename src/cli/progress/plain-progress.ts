import type { ProgressEvent } from '../../model/progress-event.js';
import { formatBytes } from '../../model/shown-text.js';
import type { ProgressEnd, ProgressSink } from './progress-sink.js';
import { ProgressState } from './progress-state.js';
import { formatTime } from './progress-view.js';

/** A line comes after this time, in milliseconds, and so many percents more, whichever is later. */
const EACH_MS = 30_000;
const EACH_PERCENT = 10;

/** Prints a line now and then, for logs. */
export class PlainProgress implements ProgressSink {
  readonly #print: (line: string) => void;
  readonly #state: ProgressState;
  readonly #now: () => number;
  readonly #startedAt: number;
  #last: { readonly at: number; readonly percent: number };

  constructor(print: (line: string) => void, op: string, now: () => number) {
    this.#print = print;
    this.#state = new ProgressState(op);
    this.#now = now;
    this.#startedAt = now();
    this.#last = { at: this.#startedAt, percent: 0 };
  }

  take(event: ProgressEvent): void {
    this.#state.take(event);
    const { op, total, percent = 0 } = this.#state.shown;
    if (event.type === 'start') this.#print(`${op} started${total === undefined ? '' : `, ${formatBytes(total)}`}`);
    if (event.type !== 'progress') return;
    const now = this.#now();
    const isDue = total === undefined || percent - this.#last.percent >= EACH_PERCENT;
    if (now - this.#last.at < EACH_MS || !isDue) return;
    this.#last = { at: now, percent };
    this.#print(this.#line());
  }

  end({ status, error }: ProgressEnd): void {
    const { op, current } = this.#state.shown;
    const time = formatTime(this.#now() - this.#startedAt);
    const outcome = error === undefined ? `done, ${formatBytes(current)}` : `failed after ${formatBytes(current)}`;
    this.#print(`${op} ${outcome} in ${time}${status === 0 ? '' : `, exit status ${status}`}`);
  }

  #line(): string {
    const { op, percent, current, total, rate, etaMs } = this.#state.shown;
    const speed = `${formatBytes(rate)}/s`;
    if (percent === undefined || total === undefined) return `${op} ${formatBytes(current)}, ${speed}`;
    const left = etaMs === undefined ? '' : `, ${formatTime(etaMs).replace(/(\d)([smh])/g, '$1 $2')} left`;
    return `${op} ${percent} %, ${formatBytes(current)} of ${formatBytes(total)}, ${speed}${left}`;
  }
}
