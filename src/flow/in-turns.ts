import { setImmediate } from 'node:timers/promises';

/** Images, or other things of about a millisecond each, before other work of the process gets its turn. */
const PER_TURN = 4;

/** The items one after another; other work of the process gets its turn after every few of them. */
export async function* inTurns<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  let count = 0;
  for (const item of items) {
    yield item;
    count += 1;
    if (count % PER_TURN === 0) await setImmediate();
  }
}
