import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Digester, digestOf, parseDigest } from '../../src/model/digest.js';
import { seededBytes } from '../fixtures/seeded.js';
import { bytesOf, describeBytes, digestsIn, inSession, storeBytes, withStore, type OpenStore } from './stored.js';

const ABSENT = parseDigest(`sha256:${'0'.repeat(64)}`);
const BYTES = seededBytes('content', 5000);
const DESCRIPTOR = describeBytes(BYTES);

/** How blobs are written to a store and read. Modelled on containerd's tests of content stores. */
export function contentSuite(open: OpenStore): void {
  describe('writing', () => writingSuite(open));
  describe('refusing', () => refusingSuite(open));
  describe('writers at once', () => parallelSuite(open));
  describe('reading', () => readingSuite(open));
}

function writingSuite(open: OpenStore): void {
  it(
    'shows nothing of a blob before its commit',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        const ingest = await session.begin(undefined);
        await ingest.write(BYTES);
        assert.equal(await session.stat(DESCRIPTOR.digest, 'blob'), undefined);
        assert.deepEqual(await digestsIn(store), []);
        await ingest.commit(DESCRIPTOR);
      });
      assert.deepEqual(await bytesOf(store.open(DESCRIPTOR.digest, { kind: 'blob' })), BYTES);
    }),
  );

  it(
    'stores a small, an empty and a larger blob',
    withStore(open, async (store) => {
      const contents = ['x', '', seededBytes('large', 3 * 1024 * 1024 + 1)].map((bytes) => Buffer.from(bytes));
      await inSession(store, async (session) => {
        for (const bytes of contents) assert.equal(await storeBytes(session, bytes), 'stored');
      });
      for (const bytes of contents)
        assert.ok((await bytesOf(store.open(digestOf(bytes), { kind: 'blob' }))).equals(bytes));
    }),
  );

  it(
    'joins a blob from chunks of any size, including empty ones',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        const ingest = await session.begin(undefined);
        for (const [start, end] of [
          [0, 1],
          [1, 1],
          [1, 4000],
          [4000, 5000],
        ])
          await ingest.write(Buffer.from(BYTES.subarray(start, end)));
        assert.equal(await ingest.commit(DESCRIPTOR), 'stored');
      });
      assert.deepEqual(await bytesOf(store.open(DESCRIPTOR.digest, { kind: 'blob' })), BYTES);
    }),
  );

  it(
    'returns present for a commit of content that it has, and keeps that',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        assert.equal(await storeBytes(session, BYTES), 'stored');
        assert.equal(await storeBytes(session, BYTES), 'present');
      });
      assert.equal(await inSession(store, (session) => storeBytes(session, BYTES)), 'present');
      assert.deepEqual(await bytesOf(store.open(DESCRIPTOR.digest, { kind: 'blob' })), BYTES);
    }),
  );

  it(
    'leaves nothing of a blob that is aborted once or twice',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        const [untouched, written] = [await session.begin(undefined), await session.begin(undefined)];
        await written.write(BYTES);
        for (const ingest of [untouched, written, untouched, written]) await ingest.abort();
      });
      assert.deepEqual(await digestsIn(store), []);
    }),
  );

  it(
    'keeps a committed blob when its writer is aborted afterwards',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        const ingest = await session.begin(undefined);
        await ingest.write(BYTES);
        await ingest.commit(DESCRIPTOR);
        await ingest.abort();
      });
      assert.deepEqual(await digestsIn(store), [DESCRIPTOR.digest]);
    }),
  );

  it(
    'stores a sha512 blob that a digester has hashed on its way',
    withStore(open, async (store) => {
      const digest = digestOf(BYTES, 'sha512');
      await inSession(store, async (session) => {
        const digester = new Digester('sha512');
        const ingest = await session.begin(undefined, digester);
        digester.update(BYTES);
        await ingest.write(BYTES);
        assert.equal(await ingest.commit({ digest, size: BYTES.length }), 'stored');
      });
      assert.deepEqual(await digestsIn(store), [digest]);
      assert.deepEqual(await bytesOf(store.open(digest, { kind: 'blob' })), BYTES);
    }),
  );

  it(
    'stores a sha512 blob that was announced, and that nobody has hashed',
    withStore(open, async (store) => {
      const digest = digestOf(BYTES, 'sha512');
      await inSession(store, async (session) => {
        const ingest = await session.begin({ digest, size: BYTES.length, kind: 'blob' });
        await ingest.write(Buffer.from(BYTES));
        assert.equal(await ingest.commit({ digest, size: BYTES.length }), 'stored');
      });
      assert.deepEqual(await digestsIn(store), [digest]);
    }),
  );
}

function refusingSuite(open: OpenStore): void {
  const wrong = [
    { what: 'a size that is too small', expected: { ...DESCRIPTOR, size: 4999 }, code: 'ERR_SIZE_MISMATCH' },
    { what: 'a size that is too large', expected: { ...DESCRIPTOR, size: 5001 }, code: 'ERR_SIZE_MISMATCH' },
    { what: 'another digest', expected: { ...DESCRIPTOR, digest: ABSENT }, code: 'ERR_DIGEST_MISMATCH' },
    {
      what: 'a digest of another algorithm than the one that was computed',
      expected: { ...DESCRIPTOR, digest: digestOf(BYTES, 'sha512') },
      code: 'ERR_DIGEST_MISMATCH',
    },
  ];
  for (const { what, expected, code } of wrong) {
    it(
      `refuses a commit with ${what} and leaves nothing`,
      withStore(open, async (store) => {
        await inSession(store, async (session) => {
          const ingest = await session.begin(undefined);
          await ingest.write(Buffer.from(BYTES));
          await assert.rejects(ingest.commit(expected), { code });
          assert.equal(await session.stat(expected.digest, 'blob'), undefined);
        });
        assert.deepEqual(await digestsIn(store), []);
      }),
    );
  }

  it(
    'stores content whose first commit was refused',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        const ingest = await session.begin(undefined);
        await ingest.write(BYTES.subarray(1));
        await assert.rejects(ingest.commit(DESCRIPTOR), { code: 'ERR_SIZE_MISMATCH' });
        assert.equal(await storeBytes(session, BYTES), 'stored');
      });
    }),
  );

  it(
    'refuses to write or commit after a commit, an abort or a refusal',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        const [committed, aborted, failed] = [
          await session.begin(undefined),
          await session.begin(undefined),
          await session.begin(undefined),
        ];
        await committed.write(BYTES);
        await committed.commit(DESCRIPTOR);
        await aborted.abort();
        await assert.rejects(failed.commit(DESCRIPTOR), { code: 'ERR_SIZE_MISMATCH' });
        for (const ingest of [committed, aborted, failed]) {
          await assert.rejects(ingest.write(BYTES), { code: 'ERR_STORAGE_IO' });
          await assert.rejects(ingest.commit(DESCRIPTOR), { code: 'ERR_STORAGE_IO' });
        }
      });
      assert.deepEqual(await digestsIn(store), [DESCRIPTOR.digest]);
    }),
  );
}

function parallelSuite(open: OpenStore): void {
  it(
    'lets two writers of one digest both succeed: one stores it, one finds it present',
    withStore(open, async (store) => {
      const outcomes = await inSession(store, (first) =>
        inSession(store, async (second) => {
          const ingests = [await first.begin(undefined), await second.begin(undefined)];
          for (const ingest of ingests) await ingest.write(Buffer.from(BYTES));
          return await Promise.all(ingests.map((ingest) => ingest.commit(DESCRIPTOR)));
        }),
      );
      assert.deepEqual(outcomes.sort(), ['present', 'stored']);
      assert.deepEqual(await bytesOf(store.open(DESCRIPTOR.digest, { kind: 'blob' })), BYTES);
    }),
  );

  it(
    'stores many blobs at once whose chunks come in turn',
    withStore(open, async (store) => {
      const contents = Array.from({ length: 24 }, (_, at) => seededBytes(`parallel-${at}`, 700 * at));
      await inSession(store, async (session) => {
        await Promise.all(
          contents.map(async (bytes) => {
            const ingest = await session.begin(undefined);
            for (let at = 0; at < bytes.length; at += 512) await ingest.write(bytes.subarray(at, at + 512));
            assert.equal(await ingest.commit(describeBytes(bytes)), 'stored');
          }),
        );
      });
      assert.deepEqual(await digestsIn(store), contents.map((bytes) => digestOf(bytes)).sort());
      for (const bytes of contents)
        assert.ok((await bytesOf(store.open(digestOf(bytes), { kind: 'blob' }))).equals(bytes));
    }),
  );
}

function readingSuite(open: OpenStore): void {
  it(
    'returns the size of a blob that it has, and undefined for one that it does not have',
    withStore(open, async (store) => {
      await inSession(store, async (session) => {
        await storeBytes(session, BYTES);
        assert.equal((await session.stat(DESCRIPTOR.digest, 'blob'))?.size, 5000);
        assert.equal(await session.stat(ABSENT, 'blob'), undefined);
      });
      assert.equal((await store.stat(DESCRIPTOR.digest, 'blob'))?.size, 5000);
      assert.equal(await store.stat(ABSENT, 'blob'), undefined);
    }),
  );

  const ranges = [
    { start: 0, end: 5000 },
    { start: 0, end: 1 },
    { start: 4999, end: 5000 },
    { start: 100, end: 4000 },
    { start: 4000, end: 9000 },
    { start: 5000, end: 6000 },
    { start: 7000, end: 8000 },
    { start: 10, end: 10 },
  ];
  for (const { start, end } of ranges) {
    it(
      `reads the bytes from ${start} to ${end} of 5000`,
      withStore(open, async (store) => {
        await inSession(store, async (session) => {
          await storeBytes(session, BYTES);
          assert.deepEqual(
            await bytesOf(session.open(DESCRIPTOR.digest, { kind: 'blob', range: { start, end } })),
            BYTES.subarray(start, end),
          );
        });
        assert.deepEqual(
          await bytesOf(store.open(DESCRIPTOR.digest, { kind: 'blob', range: { start, end } })),
          BYTES.subarray(start, end),
        );
      }),
    );
  }

  it(
    'throws for a missing blob when the first chunk is read, not before',
    withStore(open, async (store) => {
      const body = store.open(ABSENT, { kind: 'blob' });
      await assert.rejects(bytesOf(body), { code: 'ERR_BLOB_MISSING', details: { digest: ABSENT } });
    }),
  );

  it(
    'can be read by many readers at once, and closed in the middle',
    withStore(open, async (store) => {
      const large = seededBytes('many readers', 1024 * 1024);
      await inSession(store, (session) => storeBytes(session, large));
      const readers = Array.from({ length: 8 }, () => bytesOf(store.open(digestOf(large), { kind: 'blob' })));
      for await (const chunk of store.open(digestOf(large), { kind: 'blob' })) {
        assert.ok(chunk.length > 0);
        break;
      }
      for (const bytes of await Promise.all(readers)) assert.ok(bytes.equals(large));
    }),
  );
}
