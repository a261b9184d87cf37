import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { bytesOf, digestsIn, inSession, storeBytes, storeSet, withStore, type OpenStore } from './stored.js';

const NAME = 'docker.io/example/app:1';
const PRUNE_ALL = { now: Date.now() + 60 * 60 * 1000, graceMs: 0 };

/** How a reader keeps the blobs that it reads safe. */
export function readerSuite(open: OpenStore): void {
  describe('a reader', () => {
    it(
      'finds and reads blobs of the store, and no others',
      withStore(open, async (store) => {
        await inSession(store, (session) => storeBytes(session, 'content'));
        const reader = await store.reader();
        assert.equal((await reader.stat(digestOf('content'), 'blob'))?.size, 7);
        assert.equal(await reader.stat(digestOf('nowhere'), 'blob'), undefined);
        assert.equal(
          String(await bytesOf(reader.open(digestOf('content'), { kind: 'blob', range: { start: 0, end: 4 } }))),
          'cont',
        );
        await reader.end();
      }),
    );

    it(
      'protects blobs that it looked up from discards and prunes until it ends',
      withStore(open, async (store) => {
        const blobs = new BlobSet();
        const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 'read' });
        await storeSet(store, blobs, [{ name: NAME, descriptor: root }]);
        const reader = await store.reader();
        for (const digest of closureOf(blobs, root)) await reader.stat(digest, 'blob');
        await inSession(store, async (session) => {
          await session.publish(() => []);
          assert.deepEqual(await session.discard(blobs.keys()), []);
        });
        await store.prune(PRUNE_ALL);
        assert.deepEqual(await digestsIn(store), [...blobs.keys()].sort());
        await reader.end();
        await store.prune(PRUNE_ALL);
        assert.deepEqual(await digestsIn(store), []);
      }),
    );

    it(
      'protects blobs that it claimed and did not look up',
      withStore(open, async (store) => {
        for (const content of ['one', 'two']) await inSession(store, (session) => storeBytes(session, content));
        const reader = await store.reader();
        await reader.claim([digestOf('one'), digestOf('nowhere')]);
        await store.prune(PRUNE_ALL);
        assert.deepEqual(await digestsIn(store), [digestOf('one')]);
        assert.equal(await reader.stat(digestOf('nowhere'), 'blob'), undefined);
        await reader.end();
      }),
    );

    it(
      'does not protect blobs that it neither claimed nor looked up',
      withStore(open, async (store) => {
        await inSession(store, (session) => storeBytes(session, 'asked for'));
        await inSession(store, (session) => storeBytes(session, 'not asked for'));
        const reader = await store.reader();
        await reader.stat(digestOf('asked for'), 'blob');
        await store.prune(PRUNE_ALL);
        assert.deepEqual(await digestsIn(store), [digestOf('asked for')]);
        await reader.end();
      }),
    );

    it(
      'may end twice',
      withStore(open, async (store) => {
        const reader = await store.reader();
        await reader.end();
        await reader.end();
      }),
    );
  });
}
