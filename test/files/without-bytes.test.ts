import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { withoutBytes } from '../../src/files/without-bytes.js';

test('cuts the given number of bytes from the start of any chunks', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 8 });
  fc.assert(
    fc.property(chunks, fc.nat(40), (all, bytes) => {
      const whole = Buffer.concat(all);
      const written = Math.min(bytes, whole.length);
      assert.deepEqual(Buffer.concat([...withoutBytes(all, written)]), whole.subarray(written));
    }),
  );
});

test('leaves nothing when all bytes were written, also with empty chunks', () => {
  const chunks = [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c'), Buffer.alloc(0)];
  assert.deepEqual(withoutBytes(chunks, 3), []);
});
