import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decorated } from '../../src/model/decorated.js';

class Counter {
  #count = 0;
  readonly step: number;

  constructor(step: number) {
    this.step = step;
  }

  get count(): number {
    return this.#count;
  }

  next(): number {
    this.#count += this.step;
    return this.#count;
  }
}

test('passes every member of the target on, private fields and getters behind them', () => {
  const target = new Counter(2);
  const same = decorated(target, {});
  assert.deepEqual([same.next(), same.next(), same.count, same.step], [2, 4, 4, 2]);
  assert.equal(target.count, 4);
  assert.ok(same instanceof Counter);
});

test('puts its own members in front, also one that is undefined', () => {
  const target = new Counter(1);
  const other = decorated<Pick<Counter, 'next'> & { readonly step: number | undefined }>(target, {
    next: () => target.next() * 10,
    step: undefined,
  });
  assert.deepEqual([other.next(), other.step, target.count], [10, undefined, 1]);
});
