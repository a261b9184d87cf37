import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  algorithmOf,
  Digester,
  digestOf,
  encodedOf,
  isDigest,
  parseDigest,
  type DigestAlgorithm,
} from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import { readTable } from '../fixtures/tables.js';

const INVALID = { name: 'LadingError', code: 'ERR_DIGEST_INVALID' };
const cases = readTable('digest');
const algorithm = fc.constantFrom<DigestAlgorithm>('sha256', 'sha384', 'sha512');

describe('the table of digests', () => {
  it('holds for isDigest', () => {
    for (const { input, ok } of cases) assert.equal(isDigest(input), ok, JSON.stringify(input));
  });

  it('holds for parseDigest', () => {
    for (const { input, ok } of cases) {
      if (ok) assert.equal(parseDigest(input), input);
      else assert.throws(() => parseDigest(input), INVALID, JSON.stringify(input));
    }
  });
});

describe('digestOf', () => {
  it('returns the published digest of the empty content', () => {
    assert.equal(digestOf(''), 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('reads a text as UTF-8', () => {
    assert.equal(digestOf('é'), digestOf(new Uint8Array([0xc3, 0xa9])));
  });
});

describe('Digester', () => {
  it('returns the same digest and size for any chunks of the content', () => {
    fc.assert(
      fc.property(algorithm, fc.array(fc.uint8Array()), (name, chunks) => {
        const digester = new Digester(name);
        for (const chunk of chunks) digester.update(chunk);
        const whole = Buffer.concat(chunks);
        assert.equal(digester.size, whole.length);
        assert.equal(digester.digest(), `${name}:${createHash(name).update(whole).digest('hex')}`);
      }),
    );
  });
});

describe('any digest', () => {
  it('splits into algorithm and hex, which join to the same digest', () => {
    fc.assert(
      fc.property(algorithm, fc.uint8Array(), (name, content) => {
        const digest = digestOf(content, name);
        assert.equal(algorithmOf(digest), name);
        assert.equal(parseDigest(`${algorithmOf(digest)}:${encodedOf(digest)}`), digest);
      }),
    );
  });
});

describe('any text', () => {
  const near = fc.stringMatching(/^sha(256|384|512|1):[0-9a-fA-F]{60,66}[\n ]?$/);
  it('is parsed or refused with ERR_DIGEST_INVALID', () => {
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
        try {
          assert.equal(parseDigest(text), text);
        } catch (error) {
          assert.ok(error instanceof LadingError && error.code === 'ERR_DIGEST_INVALID', String(error));
        }
      }),
    );
  });
});
