import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES, WARNING_CODES } from '../src/index.js';
import { projectRoot } from './fixtures/tables.js';

/** The first two cells of each row of `docs/errors.md` whose first cell starts with the prefix. */
function documented(prefix: string): [string, string][] {
  const text = readFileSync(path.join(projectRoot(), 'docs', 'errors.md'), 'utf8');
  const rows = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.filter(([, code = '']) => code.startsWith(prefix)).map(([, code = '', second = '']) => [code, second]);
}

test('docs/errors.md lists every error code with its category, and no other', () => {
  assert.deepEqual(Object.fromEntries(documented('ERR_')), ERROR_CODES);
});

test('docs/errors.md lists every warning code, and no other', () => {
  assert.deepEqual(
    documented('WARN_')
      .map(([code]) => code)
      .sort(),
    [...WARNING_CODES].sort(),
  );
});
