import { Transform, type TransformCallback } from 'node:stream';
import { ALL_LIMITS, type Limits } from '../model/limits.js';
import { check } from '../model/rules.js';
import { TarJudge } from '../model/tar-judge.js';
import { noBytes, TAKING_ANYTHING } from './byte-stage.js';

/**
 * Checks every tar header before the next stage sees it. Passes bytes unchanged up to the end of the archive. Holds
 * what {@link TarJudge} holds, and throws its errors.
 */
export class TarGuard extends Transform {
  readonly #judge: TarJudge;

  constructor(limits: Limits) {
    super(TAKING_ANYTHING);
    check({ limits: ALL_LIMITS }, { limits });
    this.#judge = new TarJudge(limits);
  }

  override _transform(chunk: unknown, _encoding: string, callback: TransformCallback): void {
    if (chunk instanceof Uint8Array)
      this.#judgeChunk(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), callback);
    else callback(noBytes(chunk));
  }

  #judgeChunk(chunk: Buffer, callback: TransformCallback): void {
    const trailedBefore = this.#judge.trailing;
    try {
      this.#judge.judge(chunk);
    } catch (error) {
      callback(error as Error);
      return;
    }
    // Drop the zeros after the end: if they do not fill a block, the next stage would report a cut archive.
    const passed = chunk.length - (this.#judge.trailing - trailedBefore);
    if (passed === 0) callback();
    else callback(null, chunk.subarray(0, passed));
  }

  override _flush(callback: TransformCallback): void {
    try {
      this.#judge.end();
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback();
  }
}
