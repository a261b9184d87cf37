import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContentProvider } from '../../src/content/content-provider.js';
import { DescriptionCache } from '../../src/inspect/description-cache.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import { bytesOf } from '../fixtures/saved-archive.js';

const A = digestOf('a');
const B = digestOf('b');

/** Content by digest, with a count of its reads. */
function contentOf(content: Map<Digest, string>): ContentProvider & { reads: number } {
  return {
    reads: 0,
    async stat(digest) {
      const text = content.get(digest);
      return text === undefined ? undefined : { size: text.length };
    },
    async *open(digest) {
      this.reads += 1;
      yield Buffer.from(content.get(digest) ?? '');
    },
  };
}

/** Describes by reading those of `digests` that are here. */
async function describe(
  cache: DescriptionCache<string>,
  key: string,
  provider: ContentProvider,
  digests: readonly Digest[],
  isLasting = true,
) {
  return await cache.get(key, provider, async (seen) => {
    const parts: string[] = [];
    for (const digest of digests) {
      if ((await seen.stat(digest, 'blob')) !== undefined)
        parts.push((await bytesOf(seen.open(digest, { kind: 'blob' }))).toString());
    }
    return { value: parts.join(''), isLasting };
  });
}

test('reads content once, as long as it stays', async () => {
  const provider = contentOf(new Map([[A, 'a']]));
  const cache = new DescriptionCache<string>();
  for (let time = 0; time < 3; time += 1) assert.equal(await describe(cache, 'key', provider, [A]), 'a');
  assert.equal(provider.reads, 1);
});

test('looks again when a blob went, came or changed its size', async () => {
  const content = new Map([[A, 'a']]);
  const provider = contentOf(content);
  const cache = new DescriptionCache<string>();
  const look = async (): Promise<string> => await describe(cache, 'key', provider, [A, B]);
  assert.equal(await look(), 'a');
  content.set(B, 'b');
  assert.equal(await look(), 'ab');
  content.delete(A);
  assert.equal(await look(), 'b');
  content.set(B, 'bb');
  assert.equal(await look(), 'bb');
});

test('does not remember a value that is not lasting', async () => {
  const provider = contentOf(new Map([[A, 'a']]));
  const cache = new DescriptionCache<string>();
  for (let time = 0; time < 2; time += 1) await describe(cache, 'key', provider, [A], false);
  assert.equal(provider.reads, 2);
});

test('drops the least recently used values, to stay within its bytes', async () => {
  const large = 'x'.repeat(1000);
  const content = new Map([A, B, digestOf('c')].map((digest) => [digest, large]));
  const provider = contentOf(content);
  const cache = new DescriptionCache<string>(2 * 2281);
  for (const [key, digest] of [
    ['a', A],
    ['b', B],
    ['a', A],
    ['c', digestOf('c')],
    ['a', A],
  ] as const) {
    await describe(cache, key, provider, [digest]);
  }
  assert.equal(provider.reads, 3);
  await describe(cache, 'b', provider, [B]);
  assert.equal(provider.reads, 4);
});

test('does not remember a value that was made while a blob came', async () => {
  const content = new Map<Digest, string>();
  const provider = contentOf(content);
  const cache = new DescriptionCache<boolean>();
  const make = async (seen: ContentProvider) => {
    const isHere = (await seen.stat(A, 'blob')) !== undefined;
    content.set(A, 'a');
    await seen.stat(A, 'blob');
    return { value: isHere, isLasting: true };
  };
  assert.equal(await cache.get('key', provider, make), false);
  assert.equal(await cache.get('key', provider, make), true);
});
