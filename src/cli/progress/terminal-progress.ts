import type { ProgressEvent } from '../../model/progress-event.js';
import type { ProgressSink } from './progress-sink.js';
import { ProgressState } from './progress-state.js';
import { viewLines } from './progress-view.js';

/** An operation that ends before this, in milliseconds, shows nothing. */
const FIRST_MS = 500;

/** The width of a terminal that does not tell it. */
const COLUMNS = 80;

/** The part of a terminal's stream that is used. */
export interface Terminal {
  readonly columns?: number | undefined;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** Draws lines on a terminal and draws them anew, and leaves nothing behind. Does not touch the cursor's look. */
export class TerminalProgress implements ProgressSink {
  readonly #terminal: Terminal;
  readonly #state: ProgressState;
  readonly #isUnicode: boolean;
  readonly #now: () => number;
  readonly #startedAt: number;
  #lines = 0;

  constructor(
    terminal: Terminal,
    op: string,
    { isUnicode, now }: { readonly isUnicode: boolean; readonly now: () => number },
  ) {
    this.#terminal = terminal;
    this.#state = new ProgressState(op);
    this.#isUnicode = isUnicode;
    this.#now = now;
    this.#startedAt = now();
    terminal.on('resize', this.#afresh);
  }

  take(event: ProgressEvent): void {
    this.#state.take(event);
    if (event.type === 'end') return this.clear();
    if (event.type === 'progress' && this.#now() - this.#startedAt >= FIRST_MS) this.#draw();
  }

  /** Takes the lines away. */
  clear(): void {
    if (this.#lines > 0) this.#terminal.write(this.#erasure());
    this.#lines = 0;
  }

  end(): void {
    this.clear();
    this.#terminal.off('resize', this.#afresh);
  }

  #draw(): void {
    const columns = this.#terminal.columns ?? COLUMNS;
    const lines = viewLines(this.#state.shown, { columns, isUnicode: this.#isUnicode });
    this.#terminal.write(`${this.#erasure()}${lines.join('\n')}`);
    this.#lines = lines.length;
  }

  /** From the end of the last line to the start of the first one, and away with all of it. */
  #erasure(): string {
    if (this.#lines === 0) return '';
    return `\r${this.#lines > 1 ? `\x1B[${this.#lines - 1}A` : ''}\x1B[J`;
  }

  /** After a resize nobody knows where the lines are: the next ones begin below. */
  readonly #afresh = (): void => {
    if (this.#lines > 0) this.#terminal.write('\n');
    this.#lines = 0;
  };
}
