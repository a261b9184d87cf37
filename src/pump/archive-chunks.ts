import { throwIfAborted } from '../model/aborted.js';
import { packEntries } from './packed-entries.js';
import type { FillThreadData, PumpEntry } from './pump-tasks.js';
import { runThread } from './run-thread.js';
import { Slots } from './slots.js';

/**
 * The bytes of an archive, made and verified by a thread. A chunk is valid only until the next one is asked for: then its
 * memory is filled again. An error or an abort ends the archive inside an entry, so that no reader takes it for whole.
 * Holds 1 MiB, beside the thread's own memory of about 10 MiB. Throws ERR_ABORTED, ERR_BLOB_MISSING, ERR_DIGEST_MISMATCH,
 * ERR_SIZE_MISMATCH, ERR_STORAGE_IO, ERR_STORE_TAMPERED.
 */
export async function* archiveChunks(entries: readonly PumpEntry[], signal?: AbortSignal): AsyncGenerator<Buffer> {
  throwIfAborted(signal, 'the save');
  const slots = new Slots();
  const filled = new FilledSlots();
  const stop = (): void => {
    slots.stop();
    filled.end();
  };
  signal?.addEventListener('abort', stop, { once: true });
  const data: FillThreadData = { shared: slots.shared, entries: packEntries(entries) };
  const thread = runThread({ script: 'fill-thread.js', data, onFail: () => {}, onNumber: filled.push });
  const ended = thread.then(filled.end, filled.end);
  try {
    for (let at = 0; ; at += 1) {
      const bytes = await filled.next();
      throwIfAborted(signal, 'the save');
      if (bytes === undefined) break;
      yield slots.at(at).subarray(0, bytes);
      slots.free();
    }
    await thread;
  } finally {
    signal?.removeEventListener('abort', stop);
    slots.stop();
    await ended;
  }
}

/** The slots that the thread has filled and nobody has read. */
class FilledSlots {
  readonly #bytes: number[] = [];
  #isOver = false;
  #wake = (): void => {};

  readonly push = (bytes: number): void => {
    this.#bytes.push(bytes);
    this.#wake();
  };

  /** No more slots come. */
  readonly end = (): void => {
    this.#isOver = true;
    this.#wake();
  };

  /** How many bytes are in the next slot; undefined after the last one. */
  async next(): Promise<number | undefined> {
    if (this.#bytes.length === 0 && !this.#isOver) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#bytes.shift();
  }
}
