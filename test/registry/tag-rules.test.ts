import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { newestFirst, tagChooser, type TagRule } from '../../src/registry/tag-rules.js';

const chosen = (rule: TagRule, tags: readonly string[]): readonly string[] =>
  tagChooser(rule, (member) => `--${member}`)(tags);

const TAGS =
  'latest 5.0.14 6 6.2 6.2.13 v7.0.0 7.2.4 7.2-alpine 7.2.4-alpine 7.4.0-rc1 7.4rc2 8.0.0 8 2024.01.05'.split(' ');

const ROWS: readonly (readonly [rule: TagRule, tags: string])[] = [
  [{}, TAGS.join(' ')],
  [{ match: '^7' }, '7.2.4 7.2-alpine 7.2.4-alpine 7.4.0-rc1 7.4rc2'],
  [{ match: '^7', exclude: 'alpine|rc' }, '7.2.4'],
  // As in npm: what is behind the numbers makes a pre-release, which a range takes only if it names one.
  [{ semver: '>=6 <8' }, '6 6.2 6.2.13 v7.0.0 7.2.4'],
  [{ semver: '>=6 <8', exclude: '^v' }, '6 6.2 6.2.13 7.2.4'],
  [{ semver: '>=7.4.0-0' }, '7.4.0-rc1 7.4rc2 8.0.0 8 2024.01.05'],
  [{ semver: '^6.2.0 || 8.x' }, '6.2 6.2.13 8.0.0 8'],
  [{ semver: '7', suffix: '-alpine' }, '7.2-alpine 7.2.4-alpine'],
  [{ latest: 1 }, '2024.01.05'],
  [{ semver: '<9', latest: 2 }, '8.0.0 8'],
  [{ semver: '<8', latest: 2 }, 'v7.0.0 7.2.4'],
  [{ match: '^6', latest: 9 }, '6 6.2 6.2.13'],
  [{ semver: '>100 <1000' }, ''],
];

test('chooses tags by pattern, then by version, then the newest', () => {
  for (const [rule, tags] of ROWS) assert.equal(chosen(rule, TAGS).join(' '), tags, JSON.stringify(rule));
});

test('reads versions behind a prefix and before a suffix, and takes no other text for one', () => {
  const tags = [
    'release-1.2',
    'release-v1.3',
    'release-',
    '1.4',
    'release-1.2.3.4',
    'release-99999999999999999999',
    'x',
  ];
  assert.deepEqual(chosen({ semver: '*', prefix: 'release-' }, tags), ['release-1.2', 'release-v1.3']);
  assert.deepEqual(chosen({ semver: '*', prefix: '1.1', suffix: '1' }, ['1.1', '1.11', '1.131']), ['1.131']);
  assert.deepEqual(newestFirst(['1', '1.0', '1.10', '1.9', 'v1.10', 'none', '1.10.0-rc.1'], {}), [
    'v1.10',
    '1.10',
    '1.10.0-rc.1',
    '1.9',
    '1.0',
    '1',
  ]);
});

const WRONG: readonly (readonly [rule: TagRule, message: RegExp])[] = [
  [{ match: '(' }, /--match: "\(" is not a regular expression/],
  [{ exclude: '[' }, /--exclude: "\[" is not a regular expression/],
  [{ semver: 'newest' }, /--semver: "newest" is not a range of versions/],
  [{ semver: '>=6 <eight' }, /--semver: ">=6 <eight" is not a range of versions/],
  [{ latest: 0 }, /--latest is a whole number from 1/],
  [{ latest: Number.NaN }, /--latest is a whole number from 1/],
  [{ suffix: '-alpine' }, /--suffix is about versions: it needs --semver or --latest/],
  [{ prefix: '', match: 'a' }, /--prefix is about versions/],
];

test('refuses rules that mean nothing', () => {
  for (const [rule, message] of WRONG)
    assert.throws(() => chosen(rule, []), { code: 'ERR_OPTION_INVALID', message }, JSON.stringify(rule));
});

test('takes any tag without an error, and chooses some of them in their order', () => {
  const tag = fc.stringMatching(/^[\w.-]{1,40}$/);
  const version = fc.stringMatching(/^v?\d{1,17}(\.\d{1,17}){0,3}(-?[a-z0-9.-]{0,9})$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.oneof(tag, version), { maxLength: 20 }),
      fc.integer({ min: 1, max: 5 }),
      (tags, latest) => {
        const found = chosen({ semver: '>=0.0.0-0', latest }, tags);
        assert.ok(found.length <= latest);
        assert.deepEqual(
          found,
          tags.filter((one) => found.includes(one)),
        );
        assert.deepEqual(newestFirst(newestFirst(tags, {}), {}), newestFirst(tags, {}));
      },
    ),
  );
});
