import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import pLimit from 'p-limit';
import { EngineError, RETRY_LATER, STATUS } from './statuses.js';

/** Answers that are made of many documents at once: to make more of them together is no faster, and holds more. */
const MAX_GATHERING = 4;

/** So small an answer is always given: a refusal has to be one. */
const SMALL_BYTES = 16 * 1024;

/**
 * What the answers of a server may take of its memory, however many clients ask and read nothing. Holds a number; each answer
 * is held by Node until its client has taken it, or until its connection is cut.
 */
export class Answers {
  readonly #maxBytes: number;
  readonly #gathering = pLimit(MAX_GATHERING);
  #unread = 0;

  /** `maxBytes`: bytes of all answers that are on their way; archives and events, which are streams, do not count. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Makes an answer that may be large when it is its turn. Throws an EngineError (503) where too much is unread already. */
  async gather<Answer>(make: () => Promise<Answer>): Promise<Answer> {
    return await this.#gathering(async () => {
      this.#makeRoom(0);
      return await make();
    });
  }

  /** Counts an answer until its client has taken it. Throws an EngineError (503) where it is too much beside the others. */
  hold(response: ServerResponse, bytes: number): void {
    if (bytes > SMALL_BYTES) this.#makeRoom(bytes);
    this.#unread += bytes;
    response.once('close', () => {
      this.#unread -= bytes;
    });
  }

  /** One that is too large alone is let pass: it could be had in no other way. */
  #makeRoom(bytes: number): void {
    if (this.#unread === 0 || this.#unread + bytes <= this.#maxBytes) return;
    const message = `${this.#unread} bytes of answers wait for clients to read them; try again later`;
    throw new EngineError(STATUS.unavailable, message, RETRY_LATER);
  }
}

/** Cuts a connection whose peer takes nothing for a time. Where nothing waits to be taken it is we who are slow. */
export function cutWhenStalled(socket: Socket, stalledMs: number): void {
  let seen = 0;
  const timer = setInterval(() => {
    const taken = socket.bytesWritten - socket.writableLength;
    if (taken === seen && socket.writableLength > 0) socket.destroy();
    seen = taken;
  }, stalledMs);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}
