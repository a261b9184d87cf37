import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ERROR_CODES, isDamage, LadingError, quote, type ErrorCode } from '../../src/model/errors.js';

describe('a LadingError', () => {
  it('carries code, category, message, details and cause', () => {
    const cause = new Error('below');
    const error = new LadingError('ERR_DIGEST_MISMATCH', 'what happened', { cause, details: { a: 1 } });
    assert.ok(error instanceof Error);
    assert.deepEqual(
      [error.name, error.code, error.category, error.message, error.cause, error.details],
      ['LadingError', 'ERR_DIGEST_MISMATCH', 'integrity', 'what happened', cause, { a: 1 }],
    );
  });

  it('has no cause and empty details unless they are given', () => {
    const error = new LadingError('ERR_STORAGE_IO', 'x');
    assert.equal('cause' in error, false);
    assert.deepEqual(error.details, {});
  });

  it('has the name AbortError for ERR_ABORTED', () => {
    assert.equal(new LadingError('ERR_ABORTED', 'x').name, 'AbortError');
  });

  it('has a category for every code', () => {
    for (const [code, category] of Object.entries(ERROR_CODES)) {
      assert.match(code, /^ERR_[A-Z0-9_]+$/);
      assert.equal(new LadingError(code as ErrorCode, 'x').category, category);
    }
  });
});

describe('isDamage', () => {
  const cases: readonly (readonly [error: unknown, expected: boolean])[] = [
    [new LadingError('ERR_DIGEST_MISMATCH', 'x'), true],
    [new LadingError('ERR_DOCUMENT_INVALID', 'x'), true],
    [new LadingError('ERR_LIMIT_DEPTH', 'x'), true],
    [new LadingError('ERR_BLOB_MISSING', 'x'), false],
    [new LadingError('ERR_STORAGE_IO', 'x'), false],
    [new LadingError('ERR_ABORTED', 'x'), false],
    [new Error('x'), false],
    [{ category: 'integrity' }, false],
    [undefined, false],
  ];
  for (const [error, expected] of cases) {
    it(`is ${expected} for ${error instanceof LadingError ? error.code : typeof error}`, () => {
      assert.equal(isDamage(error), expected);
    });
  }
});

describe('quote', () => {
  const cases: readonly (readonly [text: string, quoted: string])[] = [
    ['plain', '"plain"'],
    ['', '""'],
    ['say "x"\\', String.raw`"say \"x\"\\"`],
    ['a\nb\tc\0', String.raw`"a\nb\tc\u0000"`],
    ['\u001b[2J', String.raw`"\u001b[2J"`],
    ['\u007f\u0085\u009b31m', String.raw`"\u007f\u0085\u009b31m"`],
    ['\u202eexe.tar', String.raw`"\u202eexe.tar"`],
    ['\u2066\u2069\u200e\u200f', String.raw`"\u2066\u2069\u200e\u200f"`],
    ['\u2028\u2029', String.raw`"\u2028\u2029"`],
    ['é 😀', '"é 😀"'],
    ['\ud800', String.raw`"\ud800"`],
    // Beyond U+FFFF a character has two units, and JSON an escape for each.
    ['\u{e0001}', '"\\udb40\\udc01"'],
  ];
  for (const [text, quoted] of cases) {
    it(`makes ${JSON.stringify(text).slice(0, 40)} safe to print`, () => {
      assert.equal(quote(text), quoted);
    });
  }

  it('cuts a text after 200 characters and says so', () => {
    assert.equal(quote('x'.repeat(200)), `"${'x'.repeat(200)}"`);
    assert.equal(quote('x'.repeat(201)), `"${'x'.repeat(200)}…"`);
  });

  it('leaves no control character and no bidirectional mark in any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(quote(text), /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});
