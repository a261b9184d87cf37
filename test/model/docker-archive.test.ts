import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { followLinks } from '../../src/model/archive-links.js';
import { digestOf } from '../../src/model/digest.js';
import { parseDockerManifest, synthesiseManifest } from '../../src/model/docker-archive.js';
import { parseImageManifest } from '../../src/model/image-manifest.js';

describe('parseDockerManifest', () => {
  it('returns config, tags and layers of each image', () => {
    const images = [
      { Config: 'a.json', RepoTags: ['a:1', 'a:2'], Layers: ['x/layer.tar'] },
      { Config: 'b.json', RepoTags: null, Layers: null },
      { Config: 'c.json' },
    ];
    assert.deepEqual(parseDockerManifest(images), [
      { config: 'a.json', repoTags: ['a:1', 'a:2'], layers: ['x/layer.tar'] },
      { config: 'b.json', repoTags: [], layers: [] },
      { config: 'c.json', repoTags: [], layers: [] },
    ]);
  });

  // A load says that the archive contains no image.
  it('takes an empty list', () => {
    assert.deepEqual(parseDockerManifest([]), []);
  });

  it('keeps tags that are no texts, for a load to drop with a warning', () => {
    const [image] = parseDockerManifest([{ Config: 'a', RepoTags: ['a:1', null, 1] }]);
    assert.deepEqual(image?.repoTags, ['a:1', null, 1]);
  });

  const refused: readonly (readonly [what: string, value: unknown])[] = [
    ['null', null],
    ['an object', { Config: 'a.json' }],
    ['a list of null', [null]],
    ['a list of a list', [[]]],
    ['an image without config', [{ RepoTags: [], Layers: [] }]],
    ['a config that is a number', [{ Config: 1 }]],
    ['a config that is null', [{ Config: null }]],
    ['tags that are a text', [{ Config: 'a', RepoTags: 'a:1' }]],
    ['layers that are an object', [{ Config: 'a', Layers: {} }]],
    ['a layer that is null', [{ Config: 'a', Layers: [null] }]],
  ];
  for (const [what, value] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseDockerManifest(value), { code: 'ERR_DOCUMENT_INVALID' });
    });
  }
});

describe('followLinks', () => {
  const links = new Map([
    ['a/layer.tar', 'b/layer.tar'],
    ['c/layer.tar', 'a/layer.tar'],
    ['loop', 'pool'],
    ['pool', 'loop'],
    ['self', 'self'],
  ]);
  const cases: readonly (readonly [name: string, file: string])[] = [
    ['b/layer.tar', 'b/layer.tar'],
    ['a/layer.tar', 'b/layer.tar'],
    ['c/layer.tar', 'b/layer.tar'],
    ['./c/layer.tar', 'b/layer.tar'],
    ['c/../a/layer.tar', 'b/layer.tar'],
    ['nowhere', 'nowhere'],
  ];
  for (const [name, file] of cases) {
    it(`leads from ${name} to ${file}`, () => {
      assert.equal(followLinks(name, { links }), file);
    });
  }

  for (const name of ['loop', 'pool', 'self']) {
    it(`refuses the circle of ${name}`, () => {
      assert.throws(() => followLinks(name, { links }), { code: 'ERR_ARCHIVE_FORMAT' });
    });
  }

  it('follows 16 links and refuses more', () => {
    assert.equal(followLinks('link-0', { links: chain(16) }), 'link-16');
    assert.throws(() => followLinks('link-0', { links: chain(17) }), { code: 'ERR_ARCHIVE_FORMAT' });
  });

  it('follows links in the place of folders', () => {
    const folders = new Map([
      ['a', 'b'],
      ['b/c', 'd'],
    ]);
    assert.equal(followLinks('a/layer.tar', { links: folders }), 'b/layer.tar');
    assert.equal(followLinks('a/c/layer.tar', { links: folders }), 'd/layer.tar');
  });
});

describe('synthesiseManifest', () => {
  it('is compact JSON in the Engine’s order of fields', () => {
    const config = { digest: digestOf('config'), size: 6 };
    const [tar, gzip] = [
      { digest: digestOf('tar'), size: 3, packed: 'none' },
      { digest: digestOf('gzip'), size: 4, packed: 'gzip' },
    ];
    const docker = 'application/vnd.docker';
    const expected =
      `{"schemaVersion":2,"mediaType":"${docker}.distribution.manifest.v2+json",` +
      `"config":{"mediaType":"${docker}.container.image.v1+json","digest":"${config.digest}","size":6},` +
      `"layers":[{"mediaType":"${docker}.image.rootfs.diff.tar","digest":"${tar.digest}","size":3},` +
      `{"mediaType":"${docker}.image.rootfs.diff.tar.gzip","digest":"${gzip.digest}","size":4}]}`;
    const manifest = synthesiseManifest(config, [tar, gzip]);
    assert.equal(String(manifest), expected);
    assert.equal(parseImageManifest(JSON.parse(String(manifest)), 'manifest').layers.length, 2);
  });
});

function chain(length: number): ReadonlyMap<string, string> {
  return new Map(Array.from({ length }, (_, at) => [`link-${at}`, `link-${at + 1}`]));
}
