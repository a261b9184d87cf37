import { PassThrough } from 'node:stream';
import type { Reply } from './context.js';
import { failureOf, type Failure } from './statuses.js';

/** Unread progress of a slow client, in bytes; beyond it progress lines are left out. */
const MAX_UNREAD_BYTES = 64 * 1024;

/**
 * An answer of JSON lines, as the Engine gives to a load, a pull and a push. It starts with the first line. An error
 * before that becomes the status; an error after it becomes the last line, which clients turn into their exit status.
 * Holds what the client has not read.
 */
export class LineOutput {
  readonly #reply: Reply;
  #lines: PassThrough | undefined;

  constructor(reply: Reply) {
    this.#reply = reply;
  }

  /** Whether the client reads so slowly that progress is not worth sending. */
  get isFull(): boolean {
    return (this.#lines?.writableLength ?? 0) > MAX_UNREAD_BYTES;
  }

  write(line: object): void {
    if (this.#lines === undefined) {
      this.#lines = new PassThrough();
      void this.#reply.type('application/json').send(this.#lines);
    }
    this.#lines.write(`${JSON.stringify(line)}\r\n`);
  }

  end(lines: readonly object[]): void {
    for (const line of lines) this.write(line);
    if (this.#lines === undefined) void this.#reply.type('application/json').send('');
    else this.#lines.end();
  }

  /** Writes the error as the last line. Returns false before the first line: the error can still be the status. */
  fail(error: unknown, toFailure: (error: unknown) => Failure = failureOf): boolean {
    if (this.#lines === undefined) return false;
    const { message } = toFailure(error);
    this.write({ errorDetail: { message }, error: message });
    this.#lines.end();
    return true;
  }
}
