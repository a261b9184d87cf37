/** One reader of events. */
export interface EventReader {
  /** How many bytes were sent to it and are still in the memory of this server. */
  readonly unread: () => number;
  /** Ends its connection. */
  readonly cut: () => void;
}

/**
 * Limits the memory of events that readers leave unread, over all readers together. Holds one entry for each reader.
 */
export class UnreadEvents {
  readonly #maxBytes: number;
  readonly #readers = new Set<EventReader>();
  /** At least as many bytes as are unread now. */
  #atMost = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Counts a reader until the returned function is called. */
  add(reader: EventReader): () => void {
    this.#readers.add(reader);
    return () => void this.#readers.delete(reader);
  }

  /** Call it after each write. If too much is unread, those with the most are cut until half of the limit is left. */
  wrote(bytes: number): void {
    this.#atMost += bytes;
    if (this.#atMost <= this.#maxBytes) return;
    const slowest = [...this.#readers].map((reader) => ({ reader, unread: reader.unread() }));
    slowest.sort((a, b) => a.unread - b.unread);
    this.#atMost = slowest.reduce((sum, { unread }) => sum + unread, 0);
    if (this.#atMost <= this.#maxBytes) return;
    while (this.#atMost > this.#maxBytes / 2) {
      const last = slowest.pop();
      if (last === undefined) break;
      this.#atMost -= last.unread;
      this.#readers.delete(last.reader);
      last.reader.cut();
    }
  }
}
