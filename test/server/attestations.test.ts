import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { tagImage } from '../../src/edit/tag-image.js';
import { loadImages } from '../../src/load/load-images.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { removeBlob, type BlobSet } from '../fixtures/blob-set.js';
import { assertRefused, bodyOf, engineWith, engineWithExample, platformQuery } from '../fixtures/engine-store.js';
import { example, type Example } from '../fixtures/example.js';

const TYPE = 'https://slsa.dev/provenance/v0.2';
const URL_OF = '/v1.55/images/example/app:1/attestations';

interface Item {
  readonly Descriptor: Descriptor;
  readonly PredicateType: string;
  readonly Statement?: { readonly predicateType: string; readonly subject: readonly { digest: { sha256: string } }[] };
}

/** The layers of an attestation manifest. */
function layersOf(blobs: BlobSet, attestation: Descriptor | undefined): readonly Descriptor[] {
  assert.ok(attestation);
  return (JSON.parse(blobs.bytes(attestation.digest).toString()) as { layers: readonly Descriptor[] }).layers;
}

async function attested(t: TestContext, built: Example = example({ attestations: true })) {
  const engine = await engineWithExample(t, { built });
  const ask = async (query = ''): Promise<readonly Item[]> =>
    bodyOf(await engine.request('GET', `${URL_OF}${query}`)) as readonly Item[];
  return { ...engine, ask };
}

test("lists the statements about the host's platform, without their content", async (t) => {
  const { ask, built } = await attested(t);
  const [layer] = layersOf(built.blobs, built.attestations.get('linux/amd64'));
  assert.deepEqual(await ask(), [{ Descriptor: layer, PredicateType: TYPE }]);
  for (const asked of ['?statement=0', '?statement=false', '?platform=', `?${platformQuery('linux/amd64')}`])
    assert.deepEqual(await ask(asked), await ask(), asked);
});

test('sends the statements of another platform byte for byte', async (t) => {
  const { request, built } = await attested(t);
  const [layer] = layersOf(built.blobs, built.attestations.get('linux/arm64'));
  assert.ok(layer);
  const answer = await request('GET', `${URL_OF}?statement=true&${platformQuery('linux/arm64')}`);
  const [item, ...more] = bodyOf(answer) as readonly Item[];
  assert.deepEqual([item?.Descriptor, item?.PredicateType, more], [layer, TYPE, []]);
  assert.equal(item?.Statement?.subject[0]?.digest.sha256, built.of('linux/arm64').digest.slice('sha256:'.length));
  assert.ok(answer.text.includes(`"Statement":${built.blobs.bytes(layer.digest).toString()}`));
});

const query = (...types: readonly string[]) => `?${types.map((type) => `type=${encodeURIComponent(type)}`).join('&')}`;

test('filters by predicate types', async (t) => {
  const { ask } = await attested(t);
  assert.equal((await ask(query(TYPE))).length, 1);
  assert.equal((await ask(query('https://spdx.dev/Document', TYPE))).length, 1);
  assert.deepEqual(await ask(query('https://spdx.dev/Document')), []);
});

test('has nothing for an image without attestations, and for artifacts that are no statements', async (t) => {
  const built = example();
  buildReferrer(built.blobs, built.of('linux/amd64'), { seed: 'sbom' });
  assert.deepEqual(await (await attested(t, built)).ask(), []);
});

test('reads the type of a statement whose descriptor names none', async (t) => {
  const built = example({ attestations: true });
  const attestation = built.attestations.get('linux/amd64');
  const [layer] = layersOf(built.blobs, attestation);
  assert.ok(attestation && layer);
  const { annotations: _, ...bare } = layer;
  const manifest = JSON.parse(built.blobs.bytes(attestation.digest).toString()) as object;
  const other = built.blobs.document({ ...manifest, layers: [bare] }, attestation.mediaType, {
    ...(attestation.annotations && { annotations: attestation.annotations }),
    ...(attestation.platform && { platform: attestation.platform }),
  });
  const index = JSON.parse(built.blobs.bytes(built.root.digest).toString()) as { manifests: readonly Descriptor[] };
  const manifests = index.manifests.map((one) => (one.digest === attestation.digest ? other : one));
  const root = built.blobs.document({ ...index, manifests }, built.root.mediaType);
  const { request } = await engineWith(t, built.blobs, [['example/app:1', root]]);
  assert.deepEqual(bodyOf(await request('GET', URL_OF)), [{ Descriptor: bare, PredicateType: TYPE }]);
});

test('finds an attestation that stands beside its manifest', async (t) => {
  const { request, store } = await attested(t);
  const saved = await request('GET', `/v1.55/images/get?names=example/app:1&${platformQuery('linux/arm64')}`);
  await request('DELETE', '/images/example/app:1');
  await loadImages(
    store,
    (async function* (): AsyncGenerator<Buffer> {
      yield saved.body;
    })(),
  );
  await tagImage(store, 'example/app:1', 'again:1');
  assert.equal(
    (bodyOf(await request('GET', `/images/again:1/attestations?${platformQuery('linux/arm64')}`)) as readonly Item[])
      .length,
    1,
  );
});

test('refuses several platforms, malformed ones, unknown images and platforms', async (t) => {
  const { request } = await attested(t);
  const [amd64, arm64] = [platformQuery('linux/amd64'), platformQuery('linux/arm64')];
  assertRefused(await request('GET', `${URL_OF}?${amd64}&${arm64}`), 400, 'only one platform may be specified');
  assertRefused(await request('GET', `${URL_OF}?platform=x`), 400, /^failed to parse platform/);
  assertRefused(await request('GET', `${URL_OF}?${platformQuery('linux/s390x')}`), 404, /linux\/s390x/);
  assertRefused(await request('GET', '/images/none/attestations'), 404, 'No such image: none');
  for (const version of ['1.24', '1.54'])
    assertRefused(await request('GET', URL_OF.replace('1.55', version)), 404, 'page not found');
});

test('says that a statement is missing, and lists it without its content', async (t) => {
  const built = example({ attestations: true });
  const [layer] = layersOf(built.blobs, built.attestations.get('linux/amd64'));
  assert.ok(layer);
  removeBlob(built.blobs, layer);
  const { request, ask } = await attested(t, built);
  assert.equal((await ask()).length, 1);
  assertRefused(await request('GET', `${URL_OF}?statement=1`), 404, `statement ${layer.digest} is not in the store`);
});
