import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { load } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import { namesOf, onEachStore } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';

/** An archive as a widely used tool writes it, with small content, and what a store lists once it is loaded. */
interface Case {
  readonly file: string;
  readonly what: string;
  readonly names: readonly (string | undefined)[];
  /** The first digits of each root, in the order of the names. */
  readonly roots?: readonly string[];
  /** The text that each warning of the load contains; none by default. */
  readonly warnings?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    file: 'binary-xattrs.tar',
    what: 'a docker-archive that was packed again on macOS, with binary attributes in PAX records',
    names: ['docker.io/example/app:latest'],
  },
  {
    file: 'nulls-in-index.tar',
    what: 'a layout with a null for each member of a platform that is not known',
    names: ['docker.io/library/my-app:latest'],
    roots: ['be3b3f82'],
  },
  {
    file: 'name-is-a-digest.tar',
    what: 'a layout with a digest as the name, as the image service of a node writes it',
    names: [undefined],
    roots: ['be3b3f82'],
    warnings: ['the name "sha256:be3b3f82'],
  },
  {
    file: 'name-none.tar',
    what: 'a docker-archive with the RepoTag <none>:<none>',
    names: [undefined],
    warnings: ['the name "<none>:<none>"'],
  },
  {
    file: 'name-with-a-digest.tar',
    what: 'a docker-archive with the digest of another image in a RepoTag',
    names: [undefined],
    warnings: ['it has the digest of another image'],
  },
  {
    file: 'config-entry-twice.tar',
    what: 'a docker-archive with the config of each of two names',
    names: ['example.com/app:1', 'example.com/app:2'],
  },
  {
    file: 'blob-twice.tar',
    what: 'a layout with the blob of a layer for each time that the image has it',
    names: ['docker.io/library/repo:tag'],
  },
  {
    file: 'absolute-layer-names.tar',
    what: 'a docker-archive with a slash before the names of its layers',
    names: ['docker.io/library/app:latest'],
  },
  {
    file: 'zstd-layer-of-frames.tar',
    what: 'a layer of several zstd frames, with a skippable one behind them',
    names: ['docker.io/example/app:1'],
    roots: ['c97fc561'],
  },
  {
    file: 'zstd-layer-in-docker-archive.tar',
    what: 'a docker-archive with a layer in zstd that is called .tar.gz',
    names: ['docker.io/example/app:1'],
  },
  {
    file: 'name-only-in-manifest-json.tar',
    what: 'a layout whose only name stands in manifest.json',
    names: ['docker.io/example/app:1'],
    roots: ['be3b3f82'],
  },
  {
    file: 'second-image-in-manifest-json.tar',
    what: 'a layout whose second image stands only in manifest.json',
    names: [undefined, undefined],
    roots: ['3102a0b7', '8caf1c23'],
  },
  {
    file: 'children-listed-too.tar',
    what: 'a layout that lists the manifests of its index once more beside it',
    names: ['docker.io/example/app:1.0'],
    roots: ['280ac96c'],
  },
  {
    file: 'foreign-root.tar',
    what: 'a layout with an image and an XML document as roots',
    names: ['docker.io/example/app:1'],
    roots: ['be3b3f82'],
    warnings: ['is no image, but of type "application/xml"; it was left out'],
  },
  {
    file: 'empty-config.tar',
    what: 'an artifact whose config is empty and has the type of an image config',
    names: [undefined],
    roots: ['d7d308fe'],
    warnings: ['REPO:1'],
  },
  {
    file: 'tag-only.tar',
    what: 'a layout whose image has only a tag, as skopeo, umoci and oras write it',
    names: [undefined],
    roots: ['be3b3f82'],
    warnings: ['REPO:1.0'],
  },
];

for (const { file, what, names, roots, warnings = [] } of CASES) {
  const archive = path.join(projectRoot(), 'test', 'data', 'cases', file);
  for (const [way, source] of [
    ['a file', () => archive],
    ['a pipe', () => createReadStream(archive, { highWaterMark: 700 })],
  ] as const) {
    onEachStore(`loads ${what}, from ${way}, and again after a save`, async (open) => {
      const store = await open();
      const report = await load(store, source());
      assert.deepEqual(
        report.images.map(({ name }) => name),
        names,
      );
      assert.deepEqual(await namesOf(store), names);
      assert.equal(report.warnings.length, warnings.length);
      for (const [at, text] of warnings.entries()) assert.ok(report.warnings[at]?.message.includes(text), text);
      const digests = (await store.list()).map(({ descriptor }) => descriptor.digest);
      if (roots !== undefined)
        assert.deepEqual(
          digests.map((digest) => digest.slice(7, 15)),
          roots,
        );
      assert.deepEqual((await verifyImages(store, [], { deep: true })).problems, []);
      assert.deepEqual((await verifyArchive(source(), { deep: true })).problems, []);
      assert.ok(report.images.every(({ platforms }) => platforms.some(({ state }) => state === 'complete')));
      const again = await open();
      const plan = await planExport(
        store,
        names.map((name, at) => name ?? String(digests[at])),
        { hostPlatform: HOST },
      );
      await load(again, exportImages(store, plan));
      assert.deepEqual(await again.list(), await store.list());
    });
  }
}
