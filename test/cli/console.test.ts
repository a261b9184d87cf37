import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from '../../src/cli/console.js';

test('makes columns as wide as their widest cell', () => {
  assert.deepEqual(
    table([
      ['a', 'b'],
      ['long', 'c'],
    ]),
    ['a      b', 'long   c'],
  );
});

test('makes a table of more rows than a call may have arguments', () => {
  assert.equal(table(Array.from({ length: 200_000 }, (_, at) => [String(at), 'x'])).at(-1), '199999   x');
});
