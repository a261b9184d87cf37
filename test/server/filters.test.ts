import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { booleanFilter, labelFilter, parseFilters } from '../../src/server/filters.js';
import { EngineError } from '../../src/server/statuses.js';

function filters(text: string): readonly (readonly [string, readonly string[]])[] {
  return [...parseFilters(text, ['a', 'b'])];
}

test("reads today's form and the older one", () => {
  assert.deepEqual(filters('{"a":{"x":true,"y":true},"b":{"z":false}}'), [
    ['a', ['x', 'y']],
    ['b', []],
  ]);
  assert.deepEqual(filters('{"a":["x","y"],"b":[]}'), [
    ['a', ['x', 'y']],
    ['b', []],
  ]);
  assert.deepEqual(filters('{}'), []);
});

test('has no filters for an empty or missing parameter', () => {
  for (const text of [undefined, '']) assert.deepEqual([...parseFilters(text, [])], []);
});

test('no text makes the filters throw anything but an EngineError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseFilters(text, ['a']);
      } catch (error) {
        assert.ok(error instanceof EngineError, String(error));
      }
    }),
  );
});

function read(...values: readonly string[]): boolean | undefined {
  return booleanFilter(new Map([['dangling', values]]), 'dangling');
}

test('reads a boolean', () => {
  assert.deepEqual([read('true'), read('1'), read('false'), read('0'), read()], [true, true, false, false, undefined]);
  assert.equal(booleanFilter(new Map(), 'dangling'), undefined);
  for (const values of [['yes'], ['true', 'false'], ['']]) assert.throws(() => read(...values), EngineError);
});

test('compares labels by key, or by key and value', () => {
  const labels = { team: 'a', empty: '', odd: 'x=y' };
  const match = (label: string[], not: string[] = []) =>
    labelFilter(
      new Map([
        ['label', label],
        ['label!', not],
      ]),
    )(labels);
  for (const label of [[], ['team'], ['team=a'], ['empty'], ['empty='], ['odd=x=y'], ['team', 'empty']])
    assert.equal(match(label), true, label.join(' '));
  for (const label of [['none'], ['team='], ['team=b'], ['odd=x'], ['toString'], ['team', 'none']])
    assert.equal(match(label), false, label.join(' '));
  assert.deepEqual([match([], ['none']), match([], ['team']), match([], ['team=b'])], [true, false, true]);
});

const many = (count: number) => Array.from({ length: count }, (_, at) => `v${at}`);
const send = (value: unknown) => () => parseFilters(JSON.stringify(value), ['a', 'b']);

test('takes a hundred values of a thousand characters in all filters together, and no more', () => {
  assert.doesNotThrow(send({ a: many(50), b: many(50) }));
  assert.doesNotThrow(send({ a: ['x'.repeat(1024)] }));
  const inSet = Object.fromEntries(many(101).map((value) => [value, true]));
  for (const value of [{ a: many(101) }, { a: inSet }, { a: many(50), b: many(51) }, { a: ['x'.repeat(1025)] }])
    assert.throws(send(value), { name: 'EngineError', status: 400, message: /^the filters have .*send less/ });
});
