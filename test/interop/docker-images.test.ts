import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { hostPlatform } from '../../src/survey/host-platform.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { dockerTest, rowsOf, type DockerBench } from './docker.js';
import { blobsOf } from './workspace.js';

const JSON_ROWS = ['--format', '{{json .}}'];

/** A second image, without a name, as after a load that moved its name. */
async function loadUnnamed({ docker, at }: DockerBench): Promise<string> {
  const { root, blobs } = example({ seed: 'unnamed' });
  await writeFile(at('unnamed.tar'), await layoutArchive([{ root }], blobs));
  assert.equal(await docker('load', '-i', at('unnamed.tar')), `Loaded image ID: ${root.digest}\n`);
  return root.digest;
}

dockerTest('images lists names, ids and sizes', { loaded: true }, async ({ docker, built }) => {
  const [row, ...others] = rowsOf<Record<string, string>>(
    await docker('images', '--digests', '--no-trunc', ...JSON_ROWS),
  );
  assert.equal(others.length, 0);
  const { Repository, Tag, ID, Digest, Size } = row ?? {};
  const { digest } = built.root;
  assert.deepEqual(
    { Repository, Tag, ID, Digest },
    { Repository: 'example/app', Tag: '1', ID: digest, Digest: digest },
  );
  assert.match(Size ?? '', /^[1-9][\d.]*kB$/);
  assert.match(await docker('images'), new RegExp(`^example/app +1 +${digest.slice(7, 19)} `, 'm'));
});

dockerTest('images filters by reference and by name', { loaded: true }, async ({ docker }) => {
  await docker('tag', FAMILIAR, 'other:2');
  const names = async (...args: string[]): Promise<string[]> =>
    (await docker('images', '--format', '{{.Repository}}:{{.Tag}}', ...args)).split('\n').filter(Boolean).toSorted();
  assert.deepEqual(await names(), [FAMILIAR, 'other:2']);
  assert.deepEqual(await names('--filter', 'reference=example/*'), [FAMILIAR]);
  assert.deepEqual(await names('--filter', 'reference=*:2'), ['other:2']);
  assert.deepEqual(await names('--filter', 'reference=unknown'), []);
  assert.deepEqual(await names('other'), ['other:2']);
  assert.deepEqual(await names('other:1'), []);
  const { os, architecture } = hostPlatform();
  assert.deepEqual(await names('--filter', `label=example.platform=${os}/${architecture}`), [FAMILIAR, 'other:2']);
  assert.deepEqual(await names('--filter', 'label=example.platform=plan9/mips'), []);
});

dockerTest('images lists named images and dangling ones apart', { loaded: true }, async (bench) => {
  const { docker, built } = bench;
  const unnamed = await loadUnnamed(bench);
  const ids = async (...args: string[]): Promise<string[]> =>
    (await docker('images', '-q', '--no-trunc', ...args)).split('\n').filter(Boolean).toSorted();
  assert.deepEqual(await ids(), [unnamed, built.root.digest].toSorted());
  assert.deepEqual(await ids('--filter', 'dangling=true'), [unnamed]);
  assert.deepEqual(await ids('--filter', 'dangling=false'), [built.root.digest]);
  assert.match(await docker('images', '--filter', 'dangling=true'), /^<none> +<none> +[0-9a-f]{12} /m);
});

dockerTest(
  'image inspect and inspect show an image by name and by id',
  { loaded: true },
  async ({ docker, refused, built }) => {
    const { digest } = built.root;
    const { os, architecture } = hostPlatform();
    const { rootfs } = built.blobs.json(
      built.blobs.links(built.of(`${os}/${architecture}`).digest).config?.digest ?? digest,
    ) as { rootfs: { diff_ids: string[] } };
    for (const name of [FAMILIAR, digest, digest.slice(7, 19), `example/app@${digest}`]) {
      const [shown] = JSON.parse(await docker('image', 'inspect', name)) as Record<string, unknown>[];
      const { Id, RepoTags, RepoDigests, Architecture, Os, RootFS } = shown ?? {};
      assert.deepEqual(
        { Id, RepoTags, RepoDigests, Architecture, Os, RootFS },
        {
          Id: digest,
          RepoTags: [FAMILIAR],
          RepoDigests: [`example/app@${digest}`],
          Architecture: architecture,
          Os: os,
          RootFS: { Type: 'layers', Layers: rootfs.diff_ids },
        },
        name,
      );
      assert.equal(await docker('inspect', '--format', '{{.Id}}', name), `${digest}\n`);
    }
    assert.match(await refused('image', 'inspect', 'unknown'), /No such image: unknown/);
    assert.match(await refused('inspect', 'unknown'), /No such object: unknown/);
    assert.match(await refused('inspect', 'un/known:1'), /No such object: un\/known:1/);
  },
);

dockerTest(
  'history shows the steps of an image, newest first',
  { loaded: true },
  async ({ docker, refused, built }) => {
    const rows = rowsOf<Record<string, string>>(await docker('history', '--no-trunc', ...JSON_ROWS, FAMILIAR));
    assert.deepEqual(
      rows.map(({ ID, CreatedBy }) => ({ ID, CreatedBy })),
      [
        { ID: built.root.digest, CreatedBy: 'layer 1' },
        { ID: '<missing>', CreatedBy: 'layer 0' },
      ],
    );
    assert.match(await refused('history', 'unknown'), /No such image: unknown/);
  },
);

dockerTest('tag adds a name, and moves one', { loaded: true }, async (bench) => {
  const { docker, refused, built } = bench;
  const unnamed = await loadUnnamed(bench);
  const idOf = async (name: string): Promise<string> => (await docker('inspect', '--format', '{{.Id}}', name)).trim();
  await docker('tag', FAMILIAR, 'other');
  assert.equal(await idOf('other:latest'), built.root.digest);
  await docker('tag', unnamed.slice(7, 19), 'other');
  assert.equal(await idOf('other'), unnamed);
  assert.match(await refused('tag', 'unknown', 'x:1'), /No such image: unknown/);
});

dockerTest(
  'rmi takes a name away, and the image with the last one',
  { loaded: true },
  async ({ docker, refused, built }) => {
    await docker('tag', FAMILIAR, 'other:2');
    assert.equal(await docker('rmi', 'other:2'), 'Untagged: other:2\n');
    assert.equal(await docker('rmi', FAMILIAR), `Untagged: ${FAMILIAR}\nDeleted: ${built.root.digest}\n`);
    assert.equal(await docker('images', '-q'), '');
    assert.match(await refused('rmi', FAMILIAR), /No such image: example\/app:1/);
  },
);

dockerTest('rmi of an id with several names needs -f', { loaded: true }, async ({ docker, refused, built }) => {
  const id = built.root.digest.slice(7, 19);
  await docker('tag', FAMILIAR, 'other:2');
  assert.match(
    await refused('rmi', id),
    /conflict: unable to delete .* \(must be forced\) - image is referenced in multiple/,
  );
  const removed = (await docker('rmi', '-f', id)).split('\n').filter(Boolean).toSorted();
  assert.deepEqual(removed, [`Deleted: ${built.root.digest}`, `Untagged: ${FAMILIAR}`, 'Untagged: other:2']);
});

dockerTest('image prune removes dangling images, but refuses -a', { loaded: true }, async (bench) => {
  const { docker, refused, built } = bench;
  const unnamed = await loadUnnamed(bench);
  assert.match(await refused('image', 'prune', '-a', '-f'), /runs no containers, so prune -a would remove every image/);
  const output = await docker('image', 'prune', '-f');
  assert.match(output, new RegExp(`^deleted: ${unnamed}$`, 'im'));
  assert.match(output, /^Total reclaimed space: [1-9][\d.]*kB$/m);
  assert.equal(await docker('images', '-q', '--no-trunc'), `${built.root.digest}\n`);
});

dockerTest(
  'image prune -a empties a server that allows it',
  { loaded: true, options: ['--allow-prune-all'] },
  async (bench) => {
    const { docker, store } = bench;
    assert.match(await docker('image', 'prune', '-a', '-f'), /untagged: example\/app:1/i);
    assert.equal(await docker('images', '-q'), '');
    assert.deepEqual(await blobsOf(store), []);
    const past = await docker(
      'events',
      '--since',
      '10m',
      '--until',
      new Date().toISOString(),
      '--format',
      '{{.Action}}',
    );
    assert.equal(past, 'load\nuntag\ndelete\nprune\n');
  },
);

dockerTest('system df counts the images and their bytes', { loaded: true }, async ({ docker }) => {
  const rows = rowsOf<Record<string, string>>(await docker('system', 'df', ...JSON_ROWS));
  const [images, ...others] = rows.map(({ Type, TotalCount, Active }) => ({ Type, TotalCount, Active }));
  assert.deepEqual(images, { Type: 'Images', TotalCount: '1', Active: '0' });
  assert.deepEqual(
    others.map(({ TotalCount }) => TotalCount),
    ['0', '0', '0'],
  );
  assert.match(rows[0]?.['Size'] ?? '', /^[1-9][\d.]*kB$/);
  assert.match(await docker('system', 'df', '-v'), /^example\/app +1 +[0-9a-f]{12} /m);
});
