import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Glob } from '../../src/model/glob.js';

function globOf(pattern: string): Glob {
  return Glob.parse(pattern) ?? assert.fail(`${pattern} is malformed`);
}

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
    assert.equal(globOf(pattern).matches(text), fits);
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
    assert.equal(Glob.parse(pattern), undefined);
  });
}

test('a match takes at most as many steps as it says, in proportion to both lengths', () => {
  const unit = fc.constantFrom('*', '?', '[ab]', 'a', 'b', '/');
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 40 });
  const hard = globOf(`${'*a'.repeat(1000)}b`);
  assert.equal(hard.matches('a'.repeat(2000)), false);
  assert.ok(hard.steps > 0 && hard.steps <= hard.stepsFor('a'.repeat(2000)), `${hard.steps} steps`);
  assert.equal(hard.stepsFor('a'.repeat(2000)), 2002 * 2001);
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30 }), text, (pattern, name) => {
      const glob = globOf(pattern);
      glob.matches(name);
      return glob.steps <= glob.stepsFor(name);
    }),
  );
});

test('a text that is too short takes no step', () => {
  const glob = globOf('?'.repeat(1000));
  assert.equal(glob.matches('a'.repeat(999)), false);
  assert.equal(glob.steps, 0);
});

test('a set of many characters is one step for each character of a name', () => {
  const set = globOf(`[${'a-z'.repeat(300)}]`);
  assert.equal(set.matches('q'), true);
  assert.equal(set.steps, 1);
  assert.equal(set.matches('Q'), false);
});

test('refuses a long malformed pattern', () => {
  assert.equal(Glob.parse('['.repeat(16_000)), undefined);
});

test('a pattern without special characters fits itself only', () => {
  const plain = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '.', '-', '😀') });
  fc.assert(fc.property(plain, plain, (pattern, text) => globOf(pattern).matches(text) === (pattern === text)));
});

test('a text with every character escaped fits itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) =>
      globOf(text.replaceAll(/[^]/gu, String.raw`\$&`)).matches(text),
    ),
  );
});

test('no pattern throws, as it is compiled or matched', () => {
  const unit = fc.constantFrom('*', '?', '[', ']', '^', '-', '\\', '/', 'a', 'b', '\ud800');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), fc.string({ unit, maxLength: 6 }), (pattern, text) => {
      const fits = Glob.parse(pattern)?.matches(text);
      assert.ok(fits === undefined || typeof fits === 'boolean');
    }),
    { numRuns: 2000 },
  );
});
