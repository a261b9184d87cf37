import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { removeBlob } from '../fixtures/blob-set.js';
import { engineWith, platformQuery } from '../fixtures/engine-store.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { example, type Example } from '../fixtures/example.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';

/** A server with the example, an image of which it has one platform, and one whose index is not there. */
async function engineOfThree(t: TestContext): Promise<Engine & { readonly built: Example; readonly one: Descriptor }> {
  const built = example();
  const one = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'one' });
  const lost = buildIndex(built.blobs, [one]);
  removeBlob(built.blobs, lost);
  const engine = await engineWith(t, built.blobs, [
    ['example/app:1', built.root],
    ['one:1', one],
    ['lost:1', lost],
  ]);
  return { ...engine, built, one };
}

const SAVES = [
  { names: ['example/app:1', 'one:1'], platforms: ['linux/arm64'], header: 'one:1 linux/arm64 absent' },
  {
    names: ['one:1', 'example/app:1'],
    platforms: ['linux/arm64', 'linux/s390x'],
    header: 'example/app:1 linux/s390x absent, one:1 linux/arm64 absent, one:1 linux/s390x absent',
  },
  { names: ['example/app:1', 'lost:1'], platforms: [], header: 'lost:1 unknown missing' },
  { names: ['example/app:1', 'one:1'], platforms: [], header: undefined },
];

for (const { names, platforms, header } of SAVES) {
  test(`the header of a save tells what is left out: ${names.join(' ')}, ${platforms.join(' ') || 'all'}`, async (t) => {
    const { request } = await engineOfThree(t);
    const query = [...names.map((name) => `names=${name}`), ...platforms.map((platform) => platformQuery(platform))];
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await request(method, `/v1.52/images/get?${query.join('&')}`);
      assert.deepEqual([method, status, headers['lading-missing-platforms']], [method, 200, header]);
    }
  });
}

test('the lines of a load tell which image was left out', async (t) => {
  const built = example();
  const one = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'one' });
  const archive = await layoutArchive([...built.images, { root: one, name: 'docker.io/library/one:1' }], built.blobs);
  const { request } = await startEngine(t);
  const answer = await request('POST', `/v1.52/images/load?${platformQuery('linux/arm64')}`, { body: archive });
  assert.equal(answer.status, 200, answer.text);
  const lines = answer.text
    .trim()
    .split('\r\n')
    .map((line) => (JSON.parse(line) as { readonly stream: string }).stream);
  assert.deepEqual(lines, ['warning: one:1 does not list linux/arm64\n', 'Loaded image: example/app:1\n']);
});
