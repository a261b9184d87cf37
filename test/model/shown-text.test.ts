import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as holds, maxSafeNat, property } from 'fast-check';
import { formatBytes, oneLine, printable, shortId } from '../../src/model/shown-text.js';

const SIZES: readonly (readonly [bytes: number, text: string])[] = [
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [9994, '9.99 kB'],
  [9996, '10.0 kB'],
  [99_940, '99.9 kB'],
  [99_960, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
  [999_950, '1.00 MB'],
  [142_000_000, '142 MB'],
  [1.5e9, '1.50 GB'],
  [999_999_999_999, '1.00 TB'],
  [Number.MAX_SAFE_INTEGER, '9.01 PB'],
];

test('shows bytes with three digits, rounded before the unit is chosen', () => {
  for (const [bytes, text] of SIZES) assert.equal(formatBytes(bytes), text);
});

test('shows a size that is within half a percent of the bytes, and never four digits', () => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  holds(
    property(maxSafeNat(), (bytes) => {
      const [number = '', unit = ''] = formatBytes(bytes).split(' ');
      assert.match(number, /^(?:\d{1,3}|\d\.\d\d|\d\d\.\d)$/);
      const shown = Number(number) * 1000 ** units.indexOf(unit);
      assert.ok(Math.abs(shown - bytes) <= bytes * 0.005 + 1e-6, `${bytes}: ${number} ${unit}`);
    }),
  );
});

test('replaces what a terminal or a page would obey', () => {
  assert.equal(printable('a\u001b[31mb\u202Ec\u2028d\u0000'), 'a\uFFFD[31mb\uFFFDc\uFFFDd\uFFFD');
  assert.equal(oneLine(' RUN a\n\t && b\r\n'), 'RUN a && b');
});

test('shows an id as docker does', () => {
  assert.equal(shortId(`sha256:${'0123456789abcdef'.repeat(4)}`), '0123456789ab');
});
