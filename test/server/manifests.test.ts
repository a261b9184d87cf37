import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet, removeBlob, removeLayers } from '../fixtures/blob-set.js';
import { bodyOf, engineWith, engineWithExample } from '../fixtures/engine-store.js';
import { example, PLATFORMS } from '../fixtures/example.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';

interface Manifest {
  readonly ID: string;
  readonly Descriptor: Descriptor;
  readonly Available: boolean;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly Kind: string;
  readonly ImageData?: unknown;
  readonly AttestationData?: unknown;
}

interface WithManifests {
  readonly Manifests: readonly Manifest[];
}

type Request = Awaited<ReturnType<typeof engineWith>>['request'];

async function manifestsOf(request: Request, name = 'example/app:1'): Promise<readonly Manifest[]> {
  const { Manifests } = bodyOf(await request('GET', `/v1.52/images/${name}/json?manifests=1`)) as WithManifests;
  const [listed] = bodyOf(await request('GET', '/v1.52/images/json?manifests=1')) as readonly WithManifests[];
  assert.deepEqual(listed?.Manifests, Manifests);
  return Manifests;
}

/** Bytes of a manifest, its config and its layers. */
function contentOf(blobs: BlobSet, descriptor: Descriptor): number {
  const { config, layers = [] } = blobs.links(descriptor.digest);
  return [descriptor, ...(config ? [config] : []), ...layers].reduce((sum, { size }) => sum + size, 0);
}

test('shows every manifest with the fields of an image that clients read', async (t) => {
  const { request, built } = await engineWithExample(t);
  const manifests = await manifestsOf(request);
  assert.deepEqual(
    manifests,
    PLATFORMS.map((platform) => {
      const descriptor = built.of(platform);
      const bytes = contentOf(built.blobs, descriptor);
      return {
        ID: descriptor.digest,
        Descriptor: descriptor,
        Available: true,
        Size: { Content: bytes, Total: bytes },
        Kind: 'image',
        ImageData: { Platform: descriptor.platform, Containers: [], Size: { Unpacked: 0 } },
      };
    }),
  );
});

test('shows attestations with their subject', async (t) => {
  const built = example({ attestations: true });
  const { request } = await engineWithExample(t, { built });
  const shown = (await manifestsOf(request)).filter(({ Kind }) => Kind === 'attestation');
  assert.deepEqual(
    shown.map(({ ID, AttestationData, ImageData, Available }) => ({ ID, AttestationData, ImageData, Available })),
    PLATFORMS.map((platform) => ({
      ID: built.attestations.get(platform)?.digest,
      AttestationData: { For: built.of(platform).digest },
      ImageData: undefined,
      Available: true,
    })),
  );
});

test('shows a platform without layers as not available, with the bytes that are here', async (t) => {
  const built = example();
  const platform = 'linux/arm64';
  const descriptor = built.of(platform);
  const { config } = built.blobs.links(descriptor.digest);
  removeLayers(built.blobs, descriptor);
  const { request } = await engineWithExample(t, { built });
  const [amd64, arm64, arm] = await manifestsOf(request);
  assert.deepEqual([amd64?.Available, arm64?.Available, arm?.Available], [true, false, true]);
  assert.equal(arm64?.Kind, 'image');
  assert.equal(arm64?.Size.Content, descriptor.size + (config?.size ?? 0));
  assert.deepEqual(arm64?.ImageData, { Platform: descriptor.platform, Containers: [], Size: { Unpacked: 0 } });
});

test('shows a platform without manifest as not available, with no bytes', async (t) => {
  const built = example({ attestations: true });
  const descriptor = built.of('linux/arm64');
  removeBlob(built.blobs, descriptor);
  const { request } = await engineWithExample(t, { built });
  const shown = (await manifestsOf(request)).find(({ ID }) => ID === descriptor.digest);
  assert.deepEqual(shown, {
    ID: descriptor.digest,
    Descriptor: descriptor,
    Available: false,
    Size: { Content: 0, Total: 0 },
    Kind: 'image',
    ImageData: { Platform: descriptor.platform, Containers: [], Size: { Unpacked: 0 } },
  });
});

test('shows a missing attestation as not available', async (t) => {
  const built = example({ attestations: true });
  const descriptor = built.attestations.get('linux/amd64');
  assert.ok(descriptor);
  removeBlob(built.blobs, descriptor);
  const { request } = await engineWithExample(t, { built });
  const shown = (await manifestsOf(request)).find(({ ID }) => ID === descriptor.digest);
  assert.deepEqual(
    [shown?.Kind, shown?.Available, shown?.AttestationData],
    ['attestation', false, { For: built.of('linux/amd64').digest }],
  );
});

test('shows an artifact in an index as kind unknown', async (t) => {
  const blobs = new BlobSet();
  const image = buildManifest(blobs, { seed: 'image', platform: 'linux/amd64' });
  const artifact = buildArtifact(blobs, { seed: 'chart', artifactType: 'application/vnd.example.chart' });
  const { request } = await engineWith(t, blobs, [['example/app:1', buildIndex(blobs, [image, artifact])]]);
  const kinds = (await manifestsOf(request)).map(({ Kind, Available }) => [Kind, Available]);
  assert.deepEqual(kinds, [
    ['image', true],
    ['unknown', true],
  ]);
});

test('shows the one manifest of an image without an index', async (t) => {
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { seed: 'one', platform: 'linux/amd64' });
  const { request } = await engineWith(t, blobs, [['example/one:1', root]]);
  assert.deepEqual(
    (await manifestsOf(request, 'example/one:1')).map(({ ID }) => ID),
    [root.digest],
  );
});

for (const [route, first] of [
  ['images/json', 47],
  ['images/example/app:1/json', 48],
] as const) {
  test(`shows manifests on ${route} from 1.${first}, and only when asked`, async (t) => {
    const { request } = await engineWithExample(t);
    const has = async (minor: number, query: string): Promise<boolean> =>
      (await request('GET', `/v1.${minor}/${route}${query}`)).text.includes('"Manifests"');
    assert.equal(await has(first, '?manifests=1'), true);
    assert.equal(await has(first, '?manifests=true'), true);
    assert.equal(await has(first - 1, '?manifests=1'), false);
    assert.equal(await has(52, '?manifests=0'), false);
    assert.equal(await has(52, ''), false);
  });
}
