import { Transform, type TransformCallback, type TransformOptions } from 'node:stream';
import { asError } from '../model/errors.js';
import type { Rule } from '../model/rules.js';

type Records<Out> = AsyncIterable<Out> | Iterable<Out>;

/**
 * A stage of a pipeline: an object-mode Transform made of a generator. Waits for the reader between two yields.
 * Destroying the stage ends its generator, so that `finally` blocks run. Holds what the generator holds, and 16
 * records.
 */
export abstract class Stage<In, Out> extends Transform {
  #resume: (() => void) | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: TransformOptions = {}) {
    // Not `highWaterMark`: it would override the two values that a subclass may set.
    super({ objectMode: true, readableHighWaterMark: 16, writableHighWaterMark: 16, ...options });
  }

  /** The rule of a record, for records that other programs make. */
  protected readonly rule: Rule | undefined;

  /** The output for one record. */
  protected abstract each(record: In): Records<Out>;

  /** The output after the last record. */
  protected atEnd(): Records<Out> | Promise<Records<Out>> {
    return [];
  }

  override _transform(record: In, _encoding: string, callback: TransformCallback): void {
    try {
      this.rule?.(record, 'record');
      this.#run(this.each(record), callback);
    } catch (error) {
      callback(asError(error));
    }
  }

  override _flush(callback: TransformCallback): void {
    try {
      this.#run(this.atEnd(), callback);
    } catch (error) {
      callback(asError(error));
    }
  }

  override _read(size: number): void {
    this.#wake();
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#wake();
    super._destroy(error, callback);
  }

  /** Waits until the generator has stopped, also after the stage was destroyed. */
  async settled(): Promise<void> {
    await this.#work;
  }

  #run(records: Records<Out> | Promise<Records<Out>>, callback: TransformCallback): void {
    this.#work = this.#pushAll(records).then(
      () => callback(),
      (error: unknown) => callback(asError(error)),
    );
  }

  async #pushAll(records: Records<Out> | Promise<Records<Out>>): Promise<void> {
    for await (const record of await records) {
      if (this.destroyed) return;
      if (!this.push(record)) await this.#room();
      // Look again after the wait: the reader may be gone, and then nothing more may be taken.
      if (this.destroyed) return;
    }
  }

  async #room(): Promise<void> {
    if (this.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
  }

  #wake(): void {
    this.#resume?.();
    this.#resume = undefined;
  }
}
