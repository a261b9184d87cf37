import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The lines that a process writes, for tests that wait for one of them. Holds all of them. */
export class LineLog {
  readonly #lines: string[] = [];
  #wake = (): void => {};
  #isOver = false;
  #told = this.#next();

  constructor(stream: Readable) {
    const tell = (): void => {
      this.#wake();
      this.#told = this.#next();
    };
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      this.#lines.push(line);
      tell();
    });
    lines.on('close', () => {
      this.#isOver = true;
      tell();
    });
  }

  /** What was written so far. */
  get text(): string {
    return this.#lines.join('\n');
  }

  /** The first line that fits, as soon as it is written. Throws when the writer ends without it. */
  async find(pattern: RegExp): Promise<RegExpExecArray> {
    for (let at = 0; ; at += 1) {
      while (at >= this.#lines.length && !this.#isOver) await this.#told;
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
