import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { LadingError } from '../../src/model/errors.js';
import { parseReference, type Reference } from '../../src/model/reference.js';
import { readTable } from '../fixtures/tables.js';
import { cpuMsSince } from '../fixtures/work.js';

const INVALID = { name: 'LadingError', code: 'ERR_REFERENCE_INVALID' };
const cases = readTable('reference');
const accepted = cases.filter((row) => row.ok);
const refused = cases.filter((row) => !row.ok);

function partsOf({ domain, path, tag, digest }: Omit<Reference, 'toString'>): readonly unknown[] {
  return [domain, path, tag, digest];
}

describe('the table of references', () => {
  it('has accepted and refused texts', () => {
    assert.ok(accepted.length > 100 && refused.length > 100, `${accepted.length} accepted, ${refused.length} refused`);
  });

  it('splits each accepted text into its parts', () => {
    for (const row of accepted) {
      assert.deepEqual(partsOf(parseReference(row.input)), [row.domain, row.path, row.tag, row.digest], row.input);
    }
  });

  it('writes each accepted text in its normal and its familiar form', () => {
    for (const row of accepted) {
      const reference = parseReference(row.input);
      assert.equal(reference.toString(), row.string, row.input);
      assert.equal(reference.familiar(), row.familiar, row.input);
    }
  });

  it('adds the default tag to each accepted text', () => {
    for (const row of accepted) {
      assert.equal(parseReference(row.input).withDefaultTag().toString(), row.withDefaultTag, row.input);
    }
  });

  it('refuses each refused text', () => {
    for (const { input } of refused) {
      assert.throws(() => parseReference(input), INVALID, input);
    }
  });
});

describe('parseReference', () => {
  it('refuses a repository over 255 characters and takes one of 255', () => {
    assert.equal(parseReference(`ghcr.io/${'a'.repeat(255)}`).path.length, 255);
    assert.throws(() => parseReference(`ghcr.io/${'a'.repeat(256)}`), INVALID);
  });

  it('reads a first part that cannot be a host as repository', () => {
    const reference = parseReference('a.b_c/d:1');
    assert.deepEqual(partsOf(reference), ['', 'a.b_c/d', '1', undefined]);
    assert.equal(reference.toString(), 'a.b_c/d:1');
  });

  it('keeps the library prefix if more than one part follows it', () => {
    assert.equal(parseReference('library/a/b').familiar(), 'library/a/b');
  });

  it('has no tag or digest field if none was given', () => {
    assert.deepEqual(Object.keys(parseReference('alpine')), ['domain', 'path']);
  });

  it('returns itself from withDefaultTag if it has a tag or digest', () => {
    const tagged = parseReference('alpine:3');
    assert.equal(tagged.withDefaultTag(), tagged);
  });

  for (const text of [
    'alpine\n',
    'alpine:3\n',
    'docker.io\n/alpine',
    'alpine\0',
    'ALPINE',
    'a/\u212a',
    '[::1/a',
    'a:1:2',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseReference(text), INVALID);
    });
  }
});

describe('a long hostile text', () => {
  const bad = ['a', '-', 'a-', '-a', 'a.', 'a_', '__', 'a/', '/', ':', '@', '[', '[:', 'a:', '1:1/', 'A', 'a.b-', '0'];
  const ends = ['', '!', '/', '-', ':', '@', '\n', ':x/y!', '/b!'];
  const textsOf = (length: number): readonly string[] => {
    const texts = bad.flatMap((unit) => ends.map((end) => unit.repeat(Math.ceil(length / unit.length)) + end));
    return [...texts, ...texts.map((text) => `ghcr.io/${text}`), ...texts.map((text) => `a:${text}`)];
  };

  /** Processor time for all texts of a length; the quickest of three. */
  const workOf = (length: number): number => {
    const texts = textsOf(length);
    const times = [1, 2, 3].map(() => {
      const started = process.cpuUsage();
      for (const text of texts) parsed(text);
      return cpuMsSince(started);
    });
    return Math.min(...times);
  };

  it('is judged in linear time', () => {
    const [short, long] = [workOf(6250), workOf(50_000)];
    // 8 times as long, so 8 times as much work. A pattern that is quadratic for one of the 500 texts takes 2 s for it where
    // all the others together take 0.1 s, and 64 times as much for the long one as for the short one.
    assert.ok(long < short * 24, `${long} ms, and ${short} ms for texts of an eighth of the length`);
  });
});

/** The reference, or undefined for a refusal; any other error fails the test. */
function parsed(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    assert.ok(error instanceof LadingError && error.code === 'ERR_REFERENCE_INVALID', String(error));
    return undefined;
  }
}

const part = fc.stringMatching(/^[a-z0-9]{1,4}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,4}){0,2}$/);
const host = fc.stringMatching(
  /^(?:[A-Za-z0-9](?:-[a-z0-9])?\.[a-z]{1,3}|localhost|\[[0-9a-f]{0,2}:[0-9a-f:]{1,3}\])(?::[0-9]{1,5})?$/,
);
const suffix = fc.tuple(
  fc.option(fc.stringMatching(/^\w[\w.-]{0,5}$/), { nil: undefined }),
  fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
);
const valid = fc
  .tuple(fc.option(host, { nil: undefined }), fc.array(part, { minLength: 1, maxLength: 3 }), suffix)
  .map(([domain, parts, [tag, hex]]) => {
    const name = [...(domain === undefined ? [] : [domain]), ...parts].join('/');
    return `${name}${tag === undefined ? '' : `:${tag}`}${hex === undefined ? '' : `@sha256:${hex}`}`;
  });
const pieces = fc.constantFrom(
  'a',
  'B',
  '.',
  '..',
  '-',
  '_',
  '/',
  ':',
  '@',
  'sha256:',
  '5000',
  'localhost',
  '[',
  ']',
  '\n',
  'é',
);
const near = fc.array(pieces, { maxLength: 10 }).map((list) => list.join(''));

describe('any text', () => {
  it('that follows the grammar is parsed', () => {
    fc.assert(fc.property(valid, (text) => parsed(text) !== undefined));
  });

  it('is parsed or refused with ERR_REFERENCE_INVALID', () => {
    fc.assert(fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => void parsed(text)));
  });

  it('that is parsed has a normal form which parses to the same reference', () => {
    fc.assert(
      fc.property(fc.oneof(valid, near), (text) => {
        const reference = parsed(text);
        if (reference !== undefined) assert.deepEqual(parseReference(reference.toString()), reference);
      }),
    );
  });
});
