import { Transform, type TransformCallback } from 'node:stream';
import { asError } from '../model/errors.js';

/**
 * Passes on a part of the bytes, from `start` up to `end`, and takes all others too: whoever makes them may find out
 * with the last one that they are wrong. So the last chunk of the part waits for the end, and for what else is awaited.
 * Holds that chunk.
 */
export class SliceBytes extends Transform {
  readonly #start: number;
  readonly #end: number;
  readonly #awaited: () => Promise<unknown>;
  #position = 0;
  #held: Buffer | undefined;

  constructor(
    { start, end }: { readonly start: number; readonly end: number },
    awaited: () => Promise<unknown> = async () => {},
  ) {
    super();
    this.#awaited = awaited;
    this.#start = start;
    this.#end = end;
  }

  override _transform(chunk: Buffer, _encoding: string, callback: TransformCallback): void {
    const from = Math.max(0, this.#start - this.#position);
    const to = Math.max(from, this.#end - this.#position);
    this.#position += chunk.length;
    const part = chunk.subarray(from, to);
    if (part.length === 0) return callback();
    const before = this.#held;
    this.#held = part;
    callback(null, before);
  }

  override _flush(callback: TransformCallback): void {
    this.#awaited().then(
      () => callback(null, this.#held),
      (error: unknown) => callback(asError(error)),
    );
  }
}
