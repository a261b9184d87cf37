import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  anyOf,
  anyPlatform,
  compatibleWith,
  exactly,
  selectPlatforms,
  type PlatformMatcher,
} from '../../src/model/platform-matcher.js';
import { parsePlatform, type Platform } from '../../src/model/platform.js';
import { readTable } from '../fixtures/tables.js';

const matchCases = readTable('match');
const selectCases = readTable('select');

/** The texts sorted by the matcher's preference. */
function preferred(matcher: PlatformMatcher, texts: readonly string[]): string[] {
  return texts.toSorted((a, b) => matcher.compare(parsePlatform(a), parsePlatform(b)));
}

function matching(matcher: PlatformMatcher, texts: readonly string[]): string[] {
  return texts.filter((text) => matcher.matches(parsePlatform(text)));
}

describe('the table of matches', () => {
  it('holds for exact matching', () => {
    for (const row of matchCases) {
      assert.equal(exactly(row.requested).matches(row.candidate), row.onlyStrict, JSON.stringify(row));
    }
  });

  it('holds for compatible matching', () => {
    for (const row of matchCases) {
      assert.equal(compatibleWith(row.requested).matches(row.candidate), row.only, JSON.stringify(row));
    }
  });
});

describe('the table of selections', () => {
  it('holds for the matched positions and the first of them', () => {
    for (const row of selectCases) {
      const { matched, first } = row;
      assert.deepEqual(selectPlatforms(row.candidates, row), { matched, first }, JSON.stringify(row));
    }
  });
});

describe('exactly', () => {
  it('matches every spelling of the platform and no substitute', () => {
    const texts = ['linux/arm/v7', 'linux/arm', 'linux/armhf', 'linux/arm/v6', 'linux/arm/v8', 'windows/arm/v7'];
    assert.deepEqual(matching(exactly(parsePlatform('linux/arm')), texts), [
      'linux/arm/v7',
      'linux/arm',
      'linux/armhf',
    ]);
  });

  it('lets a platform with fewer OS features match', () => {
    const texts = ['linux/amd64', 'linux(+a)/amd64', 'linux(+b+a)/amd64', 'linux(+c)/amd64'];
    assert.deepEqual(matching(exactly(parsePlatform('linux(+b+a)/amd64')), texts), texts.slice(0, 3));
    assert.deepEqual(matching(exactly(parsePlatform('linux/amd64')), texts), texts.slice(0, 1));
  });

  it('ignores the OS version outside Windows', () => {
    assert.equal(exactly(parsePlatform('linux(1.0)/amd64')).matches(parsePlatform('linux(2.0)/amd64')), true);
  });

  it('matches only the same build of a Windows older than Server 2022, with any revision', () => {
    const texts = [
      'windows',
      'windows(10.0.17763.9)',
      'windows(10.0.17762)',
      'windows(10.1.17763)',
      'windows(rubbish)',
    ];
    assert.deepEqual(matching(exactly(parsePlatform('windows(10.0.17763.1)')), texts), texts.slice(0, 2));
  });

  it('matches builds from Server 2022 up to the wanted one', () => {
    const texts = ['windows(10.0.20348)', 'windows(10.0.26100.7)', 'windows(10.0.26101)', 'windows(10.0.17763)'];
    assert.deepEqual(matching(exactly(parsePlatform('windows(10.0.26100)')), texts), texts.slice(0, 2));
  });

  it('matches any Windows if the wanted version is missing or unreadable', () => {
    const candidate = parsePlatform('windows(10.0.17763)');
    assert.equal(exactly(parsePlatform('windows')).matches(candidate), true);
    assert.equal(exactly(parsePlatform('windows(ltsc)')).matches(candidate), true);
  });
});

describe('compatibleWith', () => {
  it('prefers the own platform, then the nearest that it runs', () => {
    const order = ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64', 'linux/386', 'linux/arm64'];
    assert.deepEqual(preferred(compatibleWith(parsePlatform('linux/amd64/v3')), order.toReversed()), order);
  });

  it('runs 32-bit arm on arm64, the newest first', () => {
    const order = ['linux/arm64', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'];
    const matcher = compatibleWith(parsePlatform('linux/arm64'));
    assert.deepEqual(matching(matcher, order), order);
    assert.deepEqual(preferred(matcher, order.toReversed()), order);
  });

  it('runs v8.6 on arm64/v9.1 but not on arm64/v9', () => {
    const texts = ['linux/arm64/v9.1', 'linux/arm64/v9', 'linux/arm64/v8.6', 'linux/arm64/v8.5', 'linux/arm64/v8.7'];
    assert.deepEqual(matching(compatibleWith(parsePlatform('linux/arm64/v9.1')), texts), texts.slice(0, 4));
    const v9 = compatibleWith(parsePlatform('linux/arm64/v9'));
    assert.deepEqual(matching(v9, texts), ['linux/arm64/v9', 'linux/arm64/v8.5']);
  });

  it('runs only itself if the variant is unknown', () => {
    const texts = ['linux/arm64/fast', 'linux/arm64', 'linux/arm/v7'];
    assert.deepEqual(matching(compatibleWith(parsePlatform('linux/arm64/fast')), texts), ['linux/arm64/fast']);
  });

  it('prefers the candidate that uses more of the OS features', () => {
    const order = ['linux(+a+b)/amd64', 'linux(+a)/amd64', 'linux/amd64'];
    assert.deepEqual(preferred(compatibleWith(parsePlatform('linux(+a+b)/amd64')), order.toReversed()), order);
  });
});

describe('compatibleWith, among what it does not match', () => {
  it('prefers what only an OS feature keeps from matching', () => {
    const order = ['linux(+b)/amd64', 'linux(+b)/386', 'linux/arm64'];
    const matcher = compatibleWith(parsePlatform('linux/amd64'));
    assert.deepEqual(matching(matcher, order), []);
    assert.deepEqual(preferred(matcher, order.toReversed()), order);
  });
});

describe('anyOf', () => {
  it('prefers in the order of the list', () => {
    const matcher = anyOf([parsePlatform('s390x'), parsePlatform('linux/amd64')]);
    const texts = ['linux/arm64', 'linux/amd64', 'linux/s390x'];
    assert.deepEqual(matching(matcher, texts), ['linux/amd64', 'linux/s390x']);
    assert.deepEqual(preferred(matcher, texts), ['linux/s390x', 'linux/amd64', 'linux/arm64']);
  });

  it('matches nothing for an empty list', () => {
    assert.equal(anyOf([]).matches(parsePlatform('linux')), false);
  });
});

describe('anyPlatform', () => {
  it('matches everything and keeps the order', () => {
    const texts = ['unknown/unknown', 'linux/amd64', 'windows'];
    assert.deepEqual(matching(anyPlatform, texts), texts);
    assert.deepEqual(preferred(anyPlatform, texts), texts);
  });
});

const platform: fc.Arbitrary<Platform> = fc.constantFrom(
  ...matchCases.map((row) => row.requested),
  ...matchCases.map((row) => row.candidate),
);

describe('any matcher', () => {
  it('compares as a total preorder', () => {
    fc.assert(
      fc.property(platform, platform, platform, platform, (host, a, b, c) => {
        const matcher = compatibleWith(host);
        assert.equal(Math.sign(matcher.compare(a, b)) + Math.sign(matcher.compare(b, a)), 0);
        if (matcher.compare(a, b) <= 0 && matcher.compare(b, c) <= 0) assert.ok(matcher.compare(a, c) <= 0);
      }),
    );
  });

  it('prefers a match to what does not match', () => {
    fc.assert(
      fc.property(platform, platform, platform, (host, a, b) => {
        const matcher = compatibleWith(host);
        if (matcher.matches(a) && !matcher.matches(b)) assert.ok(matcher.compare(a, b) < 0);
      }),
    );
  });

  it('matches compatibly whatever it matches exactly', () => {
    fc.assert(
      fc.property(platform, platform, (host, candidate) => {
        if (exactly(host).matches(candidate)) assert.ok(compatibleWith(host).matches(candidate));
      }),
    );
  });
});
