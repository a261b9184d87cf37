import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { booleanFilter, globMatches, labelsMatch, parseFilters } from '../../src/server/filters.js';
import { EngineError } from '../../src/server/statuses.js';

/** Patterns of Go's path.Match with texts that fit them or not. */
const GLOBS: readonly (readonly [pattern: string, text: string, fits: boolean])[] = [
  ['abc', 'abc', true],
  ['abc', 'abcd', false],
  ['abcd', 'abc', false],
  ['*', 'abc', true],
  ['*', '', true],
  ['*', 'a/b', false],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['a?b', 'a☺b', true],
  ['a?b', 'a😀b', true],
  ['a?b', 'a/b', false],
  ['??', 'a', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[z-a]', 'abm', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a[^a]b', 'a☺b', true],
  ['a[^a]b', 'a/b', true],
  ['[a-ζ]*', 'α', true],
  ['[^^]', 'a', true],
  ['[^^]', '^', false],
  ['[a^]', '^', true],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', '-', true],
  ['[\\-x]', 'z', false],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['\\a', 'a', true],
  ['*x', 'xxx', true],
  [']', ']', true],
  ['', '', true],
  ['', 'a', false],
  ['**', 'ab', true],
  ['a.b', 'axb', false],
  ['a+$(', 'a+$(', true],
];

for (const [pattern, text, fits] of GLOBS) {
  test(`the pattern ${JSON.stringify(pattern)} ${fits ? 'fits' : 'does not fit'} ${JSON.stringify(text)}`, () => {
    assert.equal(globMatches(pattern, text), fits);
  });
}

for (const pattern of [
  '[',
  '[]',
  '[]a]',
  '[^]',
  '[^]a]',
  '[-]',
  '[x-]',
  '[-x]',
  '[a-b-c]',
  '[^bc',
  'a[',
  '\\',
  'a[\\',
]) {
  test(`refuses the malformed pattern ${JSON.stringify(pattern)}`, () => {
    for (const text of ['', 'a', 'x'])
      assert.throws(() => globMatches(pattern, text), { name: 'EngineError', status: 400 });
  });
}

test('a pattern of many stars takes time in proportion to both lengths', () => {
  assert.equal(globMatches(`${'*a'.repeat(1000)}b`, 'a'.repeat(2000)), false);
  assert.throws(() => globMatches('['.repeat(16_000), 'a'), EngineError);
});

test('a pattern without special characters fits itself only', () => {
  const plain = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '.', '-', '😀') });
  fc.assert(fc.property(plain, plain, (pattern, text) => globMatches(pattern, text) === (pattern === text)));
});

test('a text with every character escaped fits itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => globMatches(text.replaceAll(/[^]/gu, String.raw`\$&`), text)),
  );
});

test('no pattern makes the match throw anything but an EngineError', () => {
  const unit = fc.constantFrom('*', '?', '[', ']', '^', '-', '\\', '/', 'a', 'b', '\ud800');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), fc.string({ unit, maxLength: 6 }), (pattern, text) => {
      try {
        assert.equal(typeof globMatches(pattern, text), 'boolean');
      } catch (error) {
        assert.ok(error instanceof EngineError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

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
    labelsMatch(
      new Map([
        ['label', label],
        ['label!', not],
      ]),
      labels,
    );
  for (const label of [[], ['team'], ['team=a'], ['empty'], ['empty='], ['odd=x=y'], ['team', 'empty']])
    assert.equal(match(label), true, label.join(' '));
  for (const label of [['none'], ['team='], ['team=b'], ['odd=x'], ['toString'], ['team', 'none']])
    assert.equal(match(label), false, label.join(' '));
  assert.deepEqual([match([], ['none']), match([], ['team']), match([], ['team=b'])], [true, false, true]);
});
