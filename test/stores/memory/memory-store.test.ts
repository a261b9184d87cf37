import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../../src/model/digest.js';
import { MemoryStore } from '../../../src/stores/memory/memory-store.js';
import { storeSuite } from '../../suites/store-suite.js';
import { bytesOf, inSession, storeBytes } from '../../suites/stored.js';

storeSuite('MemoryStore', async () => ({ store: new MemoryStore(), cleanup: async () => {} }));

describe('a MemoryStore with limits', () => {
  it('keeps only digest and size of a blob above the limit for one blob', async () => {
    const store = new MemoryStore({ maxBlobBytes: 4 });
    await inSession(store, async (session) => {
      for (const text of ['four', 'five5']) assert.equal(await storeBytes(session, text), 'stored');
    });
    assert.deepEqual(await bytesOf(store.open(digestOf('four'))), Buffer.from('four'));
    assert.equal((await store.stat(digestOf('five5')))?.size, 5);
    await assert.rejects(bytesOf(store.open(digestOf('five5'))), { code: 'ERR_BLOB_MISSING' });
  });

  it('keeps only the bytes of blobs that start like a document, if asked', async () => {
    const store = new MemoryStore({ keepOnlyDocuments: true });
    await inSession(store, async (session) => {
      const ingest = await session.begin(undefined);
      for (const part of ['', '{', '}']) await ingest.write(Buffer.from(part));
      await ingest.commit({ digest: digestOf('{}'), size: 2 });
      await storeBytes(session, 'layer');
    });
    assert.equal(String(await bytesOf(store.open(digestOf('{}')))), '{}');
    await assert.rejects(bytesOf(store.open(digestOf('layer'))), { code: 'ERR_BLOB_MISSING' });
  });

  it('refuses a blob beyond the limit for all blobs, and stores it when there is room again', async () => {
    const store = new MemoryStore({ maxBytes: 6 });
    await inSession(store, async (session) => {
      await storeBytes(session, 'abc');
      await storeBytes(session, 'def');
      await assert.rejects(storeBytes(session, 'g'), { code: 'ERR_LIMIT_BYTES' });
      assert.equal(await store.stat(digestOf('g')), undefined);
      await session.discard([digestOf('abc')]);
      assert.equal(await storeBytes(session, 'g'), 'stored');
    });
  });
});
