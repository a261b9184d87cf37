import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import pLimit from 'p-limit';
import { EngineError, RETRY_LATER, STATUS } from './statuses.js';

/** Large answers that are made at the same time. Making more of them at once is no faster and takes more memory. */
const MAX_GATHERING = 4;

/** Answers up to this size are always sent, so that a refusal can be. */
const SMALL_BYTES = 16 * 1024;

/**
 * Limits the memory that unread answers take, however many clients ask and read nothing. Holds one number: Node itself
 * holds each answer until its client has read it or its connection is cut.
 */
export class Answers {
  readonly #maxBytes: number;
  readonly #gathering = pLimit(MAX_GATHERING);
  #unread = 0;

  /** `maxBytes`: bytes of all answers that are on their way; archives and events, which are streams, do not count. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Makes an answer that may be large, in its turn. Throws an EngineError (503) if too much is unread already. */
  async gather<Answer>(make: () => Promise<Answer>): Promise<Answer> {
    return await this.#gathering(async () => {
      this.#makeRoom(0);
      return await make();
    });
  }

  /** Counts an answer until its client has read it. Throws an EngineError (503) if there is no room for it. */
  hold(response: ServerResponse, bytes: number): void {
    if (bytes > SMALL_BYTES) this.#makeRoom(bytes);
    this.#unread += bytes;
    response.once('close', () => {
      this.#unread -= bytes;
    });
  }

  /** If nothing else is unread, any answer may be sent: one above the limit could never be sent otherwise. */
  #makeRoom(bytes: number): void {
    if (this.#unread === 0 || this.#unread + bytes <= this.#maxBytes) return;
    const message = `${this.#unread} bytes of answers wait for clients to read them; try again later`;
    throw new EngineError(STATUS.unavailable, message, RETRY_LATER);
  }
}

/** Cuts a connection whose peer reads nothing for `stalledMs`. If nothing waits, the server is the slow side. */
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
