import { Stage } from '../flow/stage.js';
import { Bzip2Streams } from './bzip2-streams.js';
import { inTurns } from './in-turns.js';

/** Unpacks bzip2: all streams. Holds what {@link Bzip2Streams} holds. */
export class Bunzip2 extends Stage<Buffer, Buffer> {
  readonly #streams = new Bzip2Streams();

  constructor() {
    super({ objectMode: false });
  }

  protected override async *each(chunk: Buffer): AsyncGenerator<Buffer> {
    yield* inTurns(this.#streams.take(chunk));
  }

  protected override async *atEnd(): AsyncGenerator<Buffer> {
    yield* inTurns(this.#streams.end());
  }
}
