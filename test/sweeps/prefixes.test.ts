import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { IS_ALL, sampleOf } from '../fixtures/extent.js';
import { load, loadLayout } from '../fixtures/loading.js';
import { seededRandom } from '../fixtures/seeded.js';
import { stateOf, temporaryFolder } from '../fixtures/stores.js';
import { outcomeIn } from './outcome.js';
import { smallArchives, smallImage } from './small-archives.js';

// Every byte of these archives is needed: nothing follows the second end block.
for (const [kind, archive] of await smallArchives()) {
  const every = Array.from({ length: archive.length - 1 }, (_, at) => at + 1);
  const lengths = sampleOf(every, 300, `prefixes of a ${kind}`);

  test(`refuses ${lengths.length} of the ${every.length} prefixes of a ${kind} as cut short`, async () => {
    const store = new MemoryStore();
    await loadLayout(store, [{ root: smallImage().root, name: 'docker.io/example/earlier:1' }], smallImage().blobs);
    const before = await stateOf(store);
    for (const length of lengths) {
      const outcome = await outcomeIn(store, archive.subarray(0, length));
      assert.equal('code' in outcome && outcome.code, 'ERR_ARCHIVE_TRUNCATED', `after ${length} bytes`);
      assert.deepEqual(await stateOf(store), before, `after ${length} bytes`);
    }
    assert.equal((await load(store, archive)).images.length, 1, 'the whole archive is well');
  });

  test(`leaves no image and no half-written file after any prefix of a ${kind}`, async (t) => {
    const store = await OciLayoutStore.open(await temporaryFolder(t));
    const random = seededRandom(`prefixes of a ${kind}`);
    for (let round = 0; round < (IS_ALL ? 40 : 10); round += 1) {
      const prefix = archive.subarray(0, 1 + random.int(archive.length - 1));
      await assert.rejects(load(store, prefix), { code: 'ERR_ARCHIVE_TRUNCATED' });
      assert.deepEqual((await stateOf(store)).images, []);
    }
    await store.prune({ now: Date.now(), graceMs: 0, resumeMs: 0 });
    assert.deepEqual((await stateOf(store)).blobs, [], 'only what the next load could use was kept');
    assert.equal((await load(store, archive)).images.length, 1, 'the whole archive is well');
  });
}

test('refuses an empty input', async () => {
  const outcome = await outcomeIn(new MemoryStore(), Buffer.alloc(0));
  assert.equal('code' in outcome && outcome.code, 'ERR_ARCHIVE_FORMAT');
});
