/**
 * Bytes of an archive on their way out. Gathers them in a buffer, and keeps those back after which a cut archive could
 * look whole: every piece that goes out ends inside an entry. Holds its buffer.
 */
export abstract class GatheredOutput {
  #buffer: Buffer;
  #used = 0;
  /** Bytes of the buffer that may go: they end inside an entry. */
  #free = 0;

  protected constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Sends the first `bytes` bytes of the buffer. Returns the buffer to use from now on. */
  protected abstract send(buffer: Buffer, bytes: number): Buffer;

  /** Room for the next bytes of the archive, of which the first `free` may go once they are filled in. */
  take(bytes: number, free: number): Buffer {
    if (this.#used + bytes > this.#buffer.length) this.flush();
    if (this.#used + bytes > this.#buffer.length) throw new Error(`no room for ${bytes} bytes`);
    const taken = this.#buffer.subarray(this.#used, this.#used + bytes);
    if (free > 0) this.#free = this.#used + free;
    this.#used += bytes;
    return taken;
  }

  /** Room for some of so many bytes, at least one, all of which may go. */
  takeSome(bytes: number): Buffer {
    if (this.#used === this.#buffer.length) this.flush();
    const length = Math.min(bytes, this.#buffer.length - this.#used);
    return this.take(length, length);
  }

  /** Sends the bytes that may go. */
  flush(): void {
    if (this.#free === 0) return;
    const kept = this.#buffer.subarray(this.#free, this.#used);
    this.#buffer = this.send(this.#buffer, this.#free);
    this.#buffer.set(kept);
    this.#used = kept.length;
    this.#free = 0;
  }
}
