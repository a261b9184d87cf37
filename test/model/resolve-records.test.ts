import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { resolveRecords } from '../../src/model/resolve-records.js';

function record(at: number): ImageRecord {
  const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(`image ${at}`), size: 1 };
  return { name: `docker.io/example/app-${at % 50}:${at}`, descriptor };
}

const MANY = Array.from({ length: 1000 }, (_, at) => record(at));

test('many look-ups read the list once', () => {
  let reads = 0;
  const counted = MANY.map((one) => ({
    ...one,
    get name() {
      reads += 1;
      return one.name ?? '';
    },
  }));
  const names = MANY.map(({ name = '' }) => name);
  for (const name of names) assert.equal(resolveRecords(counted, name)[0]?.name, name);
  // Some reads for each record to sort it in, and some for each of the 20 tags of a repository.
  assert.ok(reads < 100_000, `${reads} reads`);
});

test('finds every image by its digest and by a unique beginning, and tells how many a short one means', () => {
  for (const { descriptor } of MANY) {
    assert.deepEqual(resolveRecords(MANY, descriptor.digest), [{ descriptor }]);
    assert.deepEqual(resolveRecords(MANY, descriptor.digest.slice(7, 19)), [{ descriptor }]);
  }
  const count = MANY.filter(({ descriptor: { digest } }) => digest.startsWith('sha256:a')).length;
  assert.throws(() => resolveRecords(MANY, 'a'), {
    message: `"a" is the start of ${count} image ids; give more characters`,
  });
  assert.throws(() => resolveRecords(MANY, 'f'.repeat(63)), { code: 'ERR_IMAGE_UNKNOWN' });
});

test('a list that changed is another list', () => {
  const [first, second] = MANY;
  assert.ok(first && second);
  assert.throws(() => resolveRecords([first], String(second.name)), { code: 'ERR_IMAGE_UNKNOWN' });
  assert.deepEqual(resolveRecords([first, second], String(second.name)), [second]);
});
