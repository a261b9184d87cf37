import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The lines that a process writes, for tests that wait for one of them. Holds all of them. */
export class LineLog {
  readonly #lines: string[] = [];
  #wake = (): void => {};
  #isOver = false;
  #changed = this.#next();

  constructor(stream: Readable) {
    const notify = (): void => {
      this.#wake();
      this.#changed = this.#next();
    };
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      this.#lines.push(line);
      notify();
    });
    lines.on('close', () => {
      this.#isOver = true;
      notify();
    });
  }

  /** All lines that were written so far. */
  get text(): string {
    return this.#lines.join('\n');
  }

  /** Waits for the first line that fits. Throws an error if the writer ends without one. */
  async find(pattern: RegExp): Promise<RegExpExecArray> {
    for (let at = 0; ; at += 1) {
      while (at >= this.#lines.length && !this.#isOver) await this.#changed;
      const line = this.#lines[at];
      if (line === undefined) throw new Error(`no line like ${pattern} in:\n${this.text}`);
      const match = pattern.exec(line);
      if (match !== null) return match;
    }
  }

  async #next(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
