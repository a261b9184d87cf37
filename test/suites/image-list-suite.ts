import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { publishRecords, removeRecords, type ImageRecord } from '../../src/model/image-list.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { inSession, namesIn, withStore, type OpenStore } from './stored.js';

const blobs = new BlobSet();
const [first, second, third] = ['1', '2', '3'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
const A = { name: 'docker.io/example/a:1', descriptor: first } as ImageRecord;
const B = { name: 'docker.io/example/b:1', descriptor: second } as ImageRecord;
const C = { name: 'docker.io/example/c:1', descriptor: third } as ImageRecord;

/** How a publication changes the list of images. */
export function imageListSuite(open: OpenStore): void {
  describe('the list of images', () => {
    it(
      'is empty in a new store',
      withStore(open, async (store) => {
        assert.deepEqual(await store.list(), []);
      }),
    );

    it(
      'shows all names of a publication together, with their descriptors',
      withStore(open, async (store) => {
        await inSession(store, async (session) => {
          await session.publish((records) => {
            assert.deepEqual(records, []);
            return publishRecords(records, [B, A]);
          });
        });
        assert.deepEqual(await store.list(), [A, B]);
      }),
    );

    it(
      'has named images in order of names, then unnamed ones in order of digests',
      withStore(open, async (store) => {
        const unnamed = [first, second, third].map((descriptor) => ({ descriptor }) as ImageRecord);
        const extra = { ...C, name: 'docker.io/example/a-b:1' };
        await inSession(store, (session) => session.publish(() => [...unnamed, C, extra]));
        const digests = unnamed.map(({ descriptor }) => descriptor.digest).sort();
        assert.deepEqual(await namesIn(store), [extra.name, C.name, ...digests]);
      }),
    );

    it(
      'stays as it is when the change throws',
      withStore(open, async (store) => {
        await inSession(store, async (session) => {
          await session.publish(() => [A]);
          await assert.rejects(session.publish(conflicting), { code: 'ERR_NAME_CONFLICT' });
        });
        assert.deepEqual(await store.list(), [A]);
      }),
    );

    it(
      'stays as it is when the change returns the same list',
      withStore(open, async (store) => {
        await inSession(store, async (session) => {
          await session.publish(() => [A]);
          await session.publish((records) => records);
        });
        assert.deepEqual(await store.list(), [A]);
      }),
    );

    it(
      'loses removed images, and no others',
      withStore(open, async (store) => {
        await inSession(store, async (session) => {
          await session.publish(() => [A, B, C]);
          await session.publish((records) => removeRecords(records, [B]));
        });
        assert.deepEqual(await store.list(), [A, C]);
      }),
    );

    it(
      'loses nothing when two sessions publish at once',
      withStore(open, async (store) => {
        await inSession(store, (one) =>
          inSession(store, async (other) => {
            await Promise.all([
              one.publish((records) => publishRecords(records, [A])),
              other.publish((records) => publishRecords(records, [B])),
              one.publish((records) => publishRecords(records, [C])),
            ]);
          }),
        );
        assert.deepEqual(await store.list(), [A, B, C]);
      }),
    );

    it(
      'keeps platform, annotations and unknown fields of a root',
      withStore(open, async (store) => {
        const descriptor = { ...A.descriptor, annotations: { 'example.key': 'v' }, 'x-unknown': [1, null] };
        await inSession(store, (session) => session.publish(() => [{ ...A, descriptor }]));
        assert.deepEqual(await store.list(), [{ ...A, descriptor }]);
      }),
    );
  });
}

function conflicting(records: readonly ImageRecord[]): readonly ImageRecord[] {
  return publishRecords(records, [{ ...A, descriptor: B.descriptor }], 'fail');
}
