import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { LoadSource } from '../../src/load/archive-entries.js';
import type { LoadGraph } from '../../src/load/load-graph.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { output } from '../fixtures/command.js';
import { example, NAME } from '../fixtures/example.js';
import { chunksOf, load } from '../fixtures/loading.js';
import { pipeFromTest } from '../fixtures/named-pipe.js';
import { refuses } from '../fixtures/refusals.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { asLayoutImage, cosignLayer, signatureRecord, signer, simplePayload } from '../fixtures/signatures.js';
import { leasesOf, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';

const RELEASE = signer('release');

/** The example with a signature, and a second image. */
async function archive() {
  const built = example();
  const signature = asLayoutImage(
    signatureRecord(built.blobs, built.root, cosignLayer(RELEASE, simplePayload(built.root.digest))),
  );
  const second = buildArtifact(built.blobs, { seed: 'second' });
  const more = [signature, { root: second, name: 'docker.io/example/second:1' }];
  return { built, second, bytes: await layoutArchive([...built.images, ...more], built.blobs) };
}

/** Ways to give an archive to a load. */
const WAYS: Readonly<Record<string, (t: TestContext, bytes: Buffer) => Promise<() => LoadSource>>> = {
  'a stream': async (_, bytes) => () => chunksOf(bytes, 700),
  'a file': async (t, bytes) => {
    const file = path.join(await temporaryFolder(t), 'archive.tar');
    await writeFile(file, bytes);
    return () => file;
  },
  'a folder': async (t, bytes) => {
    const folder = await temporaryFolder(t);
    await mkdir(path.join(folder, 'layout'));
    await writeFile(path.join(folder, 'archive.tar'), bytes);
    await output('tar', ['-xf', path.join(folder, 'archive.tar'), '-C', path.join(folder, 'layout')]);
    return () => path.join(folder, 'layout');
  },
};

for (const [way, giving] of Object.entries(WAYS)) {
  onEachStore(`shows everything that is loaded from ${way}, before anything is visible`, async (open, t) => {
    const { built, second, bytes } = await archive();
    const sourceOf = await giving(t, bytes);
    const store = await open();
    const before = await stateOf(store);
    const seen: LoadGraph[] = [];
    const report = await load(store, sourceOf(), {
      keys: [RELEASE.publicKey],
      images: [NAME],
      beforeCommit: async (graph) => {
        seen.push(graph);
        assert.deepEqual(await store.list(), before.images);
      },
    });
    const [graph, ...more] = seen;
    assert.ok(graph);
    assert.equal(more.length, 0, 'it is asked once');
    const [image, ...others] = graph.images;
    assert.deepEqual(others, []);
    assert.deepEqual([image?.name, image?.digest, image?.replaces], [NAME, built.root.digest, undefined]);
    assert.deepEqual(
      image?.platforms.map(({ platform, digest, state }) => [platform, digest, state]),
      ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((one) => [one, built.of(one).digest, 'complete']),
    );
    const { config, layers = [] } = built.blobs.links(built.of('linux/amd64').digest);
    assert.deepEqual(image?.platforms[0]?.config?.digest, config?.digest);
    assert.deepEqual(
      image?.platforms[0]?.layers,
      layers.map(({ digest, size, mediaType }) => ({ digest, size, mediaType })),
    );
    assert.deepEqual(
      image?.referrers.map(({ subject }) => subject),
      [built.root.digest],
    );
    assert.equal(image?.trust?.decision, 'allowed');
    const needed = report.blobs.bytesStored;
    assert.equal(graph.bytes, needed);
    assert.ok(!(await store.list()).some(({ descriptor }) => descriptor.digest === second.digest));
  });

  for (const [what, thrown, expected] of [
    [
      'an error',
      new Error('no'),
      { code: 'ERR_LOAD_VETOED', category: 'trust', message: /beforeCommit refused it: no$/ },
    ],
    ['a text', 'no', { code: 'ERR_LOAD_VETOED' }],
    ['nothing', undefined, { code: 'ERR_LOAD_VETOED' }],
    ['its own error', new LadingError('ERR_LIMIT_BYTES', 'too much'), { code: 'ERR_LIMIT_BYTES', message: 'too much' }],
  ] as const) {
    onEachStore(`changes nothing when the hook throws ${what}, from ${way}`, async (open, t) => {
      const { bytes } = await archive();
      const sourceOf = await giving(t, bytes);
      const store = await open();
      await load(store, await layoutArchive(example({ seed: 'before' }).images, example({ seed: 'before' }).blobs));
      for (const beforeCommit of [
        () => {
          throw thrown;
        },
        async () => await Promise.reject(thrown),
      ]) {
        await refuses(store, async () => await load(store, sourceOf(), { beforeCommit }), expected as never);
      }
      await load(store, sourceOf(), { beforeCommit: () => {} });
    });
  }
}

test('keeps what was thrown as the cause', async () => {
  const { bytes } = await archive();
  const cause = new Error('policy of the house');
  const loading = load(await emptyStore(), bytes, { beforeCommit: async () => await Promise.reject(cause) });
  await assert.rejects(loading, ({ cause: own }: Error) => own === cause);
});

async function emptyStore(): Promise<Store> {
  const { MemoryStore } = await import('../../src/stores/memory/memory-store.js');
  return new MemoryStore();
}

onEachStore('changes nothing when the hook refuses an archive from a pipe', async (open, t) => {
  const { bytes } = await archive();
  const store = await open();
  const pipe = await pipeFromTest(t);
  pipe.writer.end(bytes);
  await refuses(
    store,
    async () =>
      await load(
        store,
        { fd: pipe.fd },
        {
          beforeCommit: () => {
            throw new Error('no');
          },
        },
      ),
    { code: 'ERR_LOAD_VETOED' },
  );
});

onEachStore('opens each blob of the load, verified, and no others', async (open) => {
  const { built, second, bytes } = await archive();
  const store = await open();
  let kept: LoadGraph | undefined;
  await load(store, bytes, {
    images: [NAME],
    beforeCommit: async (graph) => {
      kept = graph;
      for (const { digest } of graph.images[0]?.platforms[0]?.layers ?? [])
        assert.equal(digestOf(await bytesOf(graph.open(digest))), digest);
      assert.equal(digestOf(await bytesOf(graph.open(built.root.digest))), built.root.digest);
      for (const other of [second.digest, `sha256:${'0'.repeat(64)}` as Digest, 'x' as Digest])
        await assert.rejects(bytesOf(graph.open(other)), { code: 'ERR_BLOB_MISSING' });
    },
  });
  await assert.rejects(bytesOf(kept!.open(built.root.digest)), { code: 'ERR_ABORTED' });
});

test('gives a graph that nobody can change, with what a name meant before', async () => {
  const store = await emptyStore();
  const before = example({ seed: 'before' });
  await load(store, await layoutArchive(before.images, before.blobs));
  const { bytes } = await archive();
  await load(store, bytes, {
    beforeCommit: (graph) => {
      const image = graph.images.find(({ name }) => name === NAME);
      assert.equal(image?.replaces, before.root.digest);
      for (const part of [graph, graph.images, image, image?.platforms, image?.platforms[0]?.layers[0]])
        assert.ok(Object.isFrozen(part));
    },
  });
});

onEachStore('does not wait for a hook that hangs when the load is aborted', async (open) => {
  const { bytes } = await archive();
  const store = await open();
  for (const late of ['never', 'rejects']) {
    const controller = new AbortController();
    let told: AbortSignal | undefined;
    let reject: ((error: Error) => void) | undefined;
    const loading = load(store, bytes, {
      signal: controller.signal,
      beforeCommit: async (_, { signal }) => {
        told = signal;
        queueMicrotask(() => controller.abort());
        await new Promise((_resolve, rejecting) => (reject = rejecting));
      },
    });
    await assert.rejects(loading, { code: 'ERR_ABORTED' });
    assert.equal(told?.aborted, true);
    // A rejection that comes too late is nobody's: it must not end the process.
    if (late === 'rejects') reject?.(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([await stateOf(store), await leasesOf(store)], [{ images: [], blobs: [] }, []]);
  }
});

test('is not asked about what is refused anyway', async () => {
  const { bytes } = await archive();
  const other = signer('other');
  const asked: LoadGraph[] = [];
  const beforeCommit = (graph: LoadGraph): void => void asked.push(graph);
  const store = await emptyStore();
  await assert.rejects(load(store, bytes, { keys: [other.publicKey], beforeCommit }), {
    code: 'ERR_SIGNATURE_INVALID',
  });
  await assert.rejects(load(store, bytes.subarray(0, bytes.length / 2), { beforeCommit }));
  await assert.rejects(load(store, bytes, { platforms: ['linux/s390x'], beforeCommit }), {
    code: 'ERR_PLATFORM_UNAVAILABLE',
  });
  assert.deepEqual(asked, []);
});
