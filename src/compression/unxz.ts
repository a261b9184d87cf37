import { Stage } from '../flow/stage.js';
import { inTurns } from './in-turns.js';
import { XzWasm } from './xz-wasm.js';

/** Unpacks xz: all streams, and the padding of zeros between and behind them. Holds what {@link XzWasm} holds. */
export class Unxz extends Stage<Buffer, Buffer> {
  #decoder: XzWasm | undefined;

  constructor() {
    super({ objectMode: false });
  }

  protected override async *each(chunk: Buffer): AsyncGenerator<Buffer> {
    this.#decoder ??= await XzWasm.start();
    yield* inTurns(this.#decoder.pass(chunk));
  }

  protected override async *atEnd(): AsyncGenerator<Buffer> {
    this.#decoder ??= await XzWasm.start();
    yield* inTurns(this.#decoder.end());
  }
}
