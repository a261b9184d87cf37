import { setImmediate } from 'node:timers/promises';

/** Images, or other things of about a millisecond each, before other work of the process gets its turn. */
const PER_TURN = 4;

/** The same of some microseconds each. */
export const QUICK_PER_TURN = 1000;

/**
 * Waits until other work of the process had its turn. One immediate is not enough: after a callback of the file system
 * it comes before timers and sockets.
 */
export async function otherTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/** The results of quick work on each item; other work of the process gets its turn after every few of them. */
export async function mapInTurns<Item, Result>(items: Iterable<Item>, work: (item: Item) => Result): Promise<Result[]> {
  const results: Result[] = [];
  for await (const item of inTurns(items)) results.push(work(item));
  return results;
}

/** The items one after another; other work of the process gets its turn after every few of them. */
export async function* inTurns<Item>(items: Iterable<Item>, perTurn = PER_TURN): AsyncGenerator<Item> {
  let count = 0;
  for (const item of items) {
    yield item;
    count += 1;
    if (count % perTurn === 0) await setImmediate();
  }
}
