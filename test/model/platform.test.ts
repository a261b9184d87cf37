import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { LadingError } from '../../src/model/errors.js';
import {
  formatPlatform,
  formatPlatformFull,
  isNamedPlatform,
  isUnknownPlatform,
  normalizePlatform,
  parsePlatform,
  type Platform,
} from '../../src/model/platform.js';
import { readTable } from '../fixtures/tables.js';

const INVALID = { name: 'LadingError', code: 'ERR_PLATFORM_INVALID' };
const cases = readTable('parse');
const accepted = cases.filter((row) => row.ok);
const refused = cases.filter((row) => !row.ok);

describe('the table of platform texts', () => {
  it('has accepted and refused texts', () => {
    assert.ok(accepted.length > 100 && refused.length > 20, `${accepted.length} accepted, ${refused.length} refused`);
  });

  it('parses each accepted text to its platform', () => {
    for (const { specifier, platform } of accepted) {
      assert.deepEqual(parsePlatform(specifier), platform, specifier);
    }
  });

  it('refuses each refused text', () => {
    for (const { specifier } of refused) {
      assert.throws(() => parsePlatform(specifier), INVALID, specifier);
    }
  });

  it('formats each platform in both text forms', () => {
    for (const { specifier, platform, format, formatAll } of accepted) {
      assert.equal(formatPlatform(platform), format, specifier);
      assert.equal(formatPlatformFull(platform), formatAll, specifier);
    }
  });

  it('normalises each platform', () => {
    for (const { specifier, platform, normalized } of accepted) {
      assert.deepEqual(normalizePlatform(platform), normalized, specifier);
    }
  });
});

describe('parsePlatform with a host', () => {
  it('fills the missing half from the host', () => {
    const hostPlatform = { os: 'windows', architecture: 'arm64', variant: 'v9' };
    assert.deepEqual(parsePlatform('linux', { hostPlatform }), { os: 'linux', architecture: 'arm64' });
    assert.deepEqual(parsePlatform('riscv64', { hostPlatform }), { os: 'windows', architecture: 'riscv64' });
  });

  it('takes the variant of an arm host unless it is the usual v7', () => {
    const v7 = { os: 'linux', architecture: 'arm', variant: 'v7' };
    const v6 = { os: 'linux', architecture: 'arm', variant: 'v6' };
    assert.deepEqual(parsePlatform('linux', { hostPlatform: v6 }), v6);
    assert.deepEqual(parsePlatform('linux', { hostPlatform: v7 }), { os: 'linux', architecture: 'arm' });
  });

  it('uses the normal form of the host', () => {
    const hostPlatform = { os: 'macOS', architecture: 'aarch64' };
    assert.deepEqual(parsePlatform('arm64', { hostPlatform }), { os: 'darwin', architecture: 'arm64' });
    assert.deepEqual(parsePlatform('linux', { hostPlatform }), { os: 'linux', architecture: 'arm64' });
  });

  it('ignores the host if both halves are written', () => {
    const hostPlatform = { os: 'windows', architecture: 'arm64' };
    assert.deepEqual(parsePlatform('linux/s390x', { hostPlatform }), { os: 'linux', architecture: 's390x' });
  });
});

describe('parsePlatform of an OS with options', () => {
  it('decodes percent signs in version and features', () => {
    assert.deepEqual(parsePlatform('windows(10%2B1+a%2Fb)/amd64'), {
      os: 'windows',
      architecture: 'amd64',
      'os.version': '10+1',
      'os.features': ['a/b'],
    });
  });

  for (const text of [
    'windows(%)',
    'windows(%zz)/amd64',
    'windows(%ff)',
    'linux(+)',
    'linux(+a+)',
    'linux(',
    'amd64(1)',
  ]) {
    it(`refuses ${text}`, () => {
      assert.throws(() => parsePlatform(text), INVALID);
    });
  }
});

describe('parsePlatform of an object', () => {
  it('returns it', () => {
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7', 'os.version': '1', 'os.features': ['a'] };
    assert.equal(parsePlatform(platform), platform);
  });

  const wrong: readonly unknown[] = [
    undefined,
    null,
    7,
    [],
    {},
    { os: 'linux' },
    { os: '', architecture: 'amd64' },
    { os: 'linux', architecture: '' },
    { os: 'linux', architecture: 'arm', variant: 7 },
    { os: 'linux', architecture: 'arm', 'os.version': null },
    { os: 'linux', architecture: 'arm', 'os.features': 'a' },
    { os: 'linux', architecture: 'arm', 'os.features': [1] },
  ];
  for (const value of wrong) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      // The point of the test: callers in JavaScript can pass anything.
      assert.throws(() => parsePlatform(value as Platform), INVALID);
    });
  }
});

describe('normalizePlatform', () => {
  it('drops what is empty and makes features a sorted set', () => {
    const platform = {
      os: 'Linux',
      architecture: 'AMD64',
      variant: '',
      'os.version': '',
      'os.features': ['b', 'a', 'b'],
    };
    assert.deepEqual(normalizePlatform(platform), { os: 'linux', architecture: 'amd64', 'os.features': ['a', 'b'] });
  });

  it('keeps names that are also members of every object', () => {
    const platform = { os: 'linux', architecture: 'constructor', variant: 'valueof' };
    assert.deepEqual(normalizePlatform(platform), platform);
  });
});

describe('isUnknownPlatform', () => {
  it('is true of unknown/unknown only', () => {
    assert.equal(isUnknownPlatform(parsePlatform('unknown/unknown')), true);
    assert.equal(isUnknownPlatform(parsePlatform('unknown/unknown/9')), true);
    assert.equal(isUnknownPlatform(parsePlatform('linux/unknown')), false);
    assert.equal(isUnknownPlatform(parsePlatform('unknown/amd64')), false);
  });
});

describe('isNamedPlatform', () => {
  it('is false if OS or architecture is missing, empty or unknown', () => {
    assert.equal(isNamedPlatform(parsePlatform('linux/amd64')), true);
    assert.equal(isNamedPlatform(undefined), false);
    assert.equal(isNamedPlatform(parsePlatform('unknown/unknown')), false);
    for (const fields of [{}, { os: 'linux' }, { architecture: 'amd64' }, { os: '', architecture: 'amd64' }]) {
      assert.equal(isNamedPlatform(fields as Platform), false);
    }
  });
});

const word = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}$/);
const osName = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
const someText = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 6 })
  .map((text) => text.replaceAll(/\p{Cs}/gu, '?'));
const architecture = fc.oneof(fc.constantFrom('amd64', 'x86_64', 'arm', 'armel', 'armhf', 'arm64', 'i386'), word);
const variant = fc.oneof(fc.constantFrom('v1', 'v6', 'v7', 'v8', 'v8.0', 'v9', '8', '9.0'), word);
const anyPlatformObject: fc.Arbitrary<Platform> = fc.record(
  { os: osName, architecture, variant, 'os.version': someText, 'os.features': fc.array(someText, { maxLength: 3 }) },
  { requiredKeys: ['os', 'architecture'] },
);

describe('any platform', () => {
  it('has a full text form that parses back to the same normal form', () => {
    fc.assert(
      fc.property(anyPlatformObject, (platform) => {
        const normal = normalizePlatform(platform);
        assert.deepEqual(normalizePlatform(parsePlatform(formatPlatformFull(normal))), normal);
      }),
    );
  });

  it('is not changed by normalising it a second time', () => {
    fc.assert(
      fc.property(anyPlatformObject, (platform) => {
        const normal = normalizePlatform(platform);
        assert.deepEqual(normalizePlatform(normal), normal);
      }),
    );
  });
});

describe('any text', () => {
  const pieces = fc.constantFrom(
    'linux',
    'windows',
    'arm',
    'v7',
    '/',
    '(',
    ')',
    '+',
    '%',
    '%2',
    '%41',
    '.',
    '*',
    ' ',
    '\n',
    'ü',
  );
  const near = fc.array(pieces, { maxLength: 8 }).map((list) => list.join(''));
  it('is parsed or refused with ERR_PLATFORM_INVALID', () => {
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
        try {
          assert.notEqual(parsePlatform(text).architecture, '');
        } catch (error) {
          assert.ok(error instanceof LadingError && error.code === 'ERR_PLATFORM_INVALID', String(error));
        }
      }),
    );
  });
});
