import { setImmediate } from 'node:timers/promises';

/** The pieces that are not empty. Lets others work after each: a decoder of this process would not wait for anybody. */
export async function* inTurns(pieces: Iterable<Buffer>): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    if (piece.length > 0) yield piece;
    await setImmediate();
  }
}
