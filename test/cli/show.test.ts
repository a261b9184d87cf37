import assert from 'node:assert/strict';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { removeLayers } from '../fixtures/blob-set.js';
import { contentOf, jsonOf, workspace } from '../fixtures/cli-workspace.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { projectRoot } from '../fixtures/tables.js';

interface Told {
  readonly message: string;
}

const HEAD = ['IMAGE', 'ID', 'CREATED', 'SIZE', 'PLATFORMS'];

test('lists images as a table, as ids and as JSON', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { run } = await workspace(t, { loaded: true, built });
  const id = built.root.digest.slice(7, 19);
  const { status, stdout, stderr } = await run(['images']);
  assert.deepEqual([status, stderr], [0, '']);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows, [
    HEAD,
    [FAMILIAR, id, rows[1]?.[2], rows[1]?.[3], 'linux/amd64, linux/arm64 (missing), linux/arm/v7'],
  ]);
  assert.equal((await run(['images', '-q'])).stdout, `${built.root.digest}\n`);
  const {
    images: [image, ...more],
  } = jsonOf<{ images: { name: string; digest: string; platforms: { state: string }[] }[] }>(
    (await run(['images', '--json'])).stdout,
  );
  assert.deepEqual([image?.name, image?.digest, more], [NAME, built.root.digest, []]);
  assert.deepEqual(
    image?.platforms.map(({ state }) => state),
    ['complete', 'missing', 'complete'],
  );
});

test('lists nothing if there is no store, and does not make one', async (t) => {
  const { run, store } = await workspace(t);
  const { status, stdout } = await run(['images']);
  assert.deepEqual([status, stdout.trimEnd().split(/ {2,}/)], [0, HEAD]);
  const json = jsonOf((await run(['images', '--json'])).stdout);
  assert.deepEqual(json, { schema: 'lading.images/1', images: [], warnings: [], incomplete: false });
  assert.equal(await contentOf(store), undefined);
});

test('inspects an image of the store and of an archive alike', async (t) => {
  const { run, archive, built } = await workspace(t, { loaded: true });
  const text = await run(['inspect', FAMILIAR]);
  assert.equal(text.status, 0);
  for (const word of [
    FAMILIAR,
    built.root.digest,
    'linux/arm/v7: complete',
    built.of('linux/arm64').digest,
    '/bin/app',
  ]) {
    assert.ok(text.stdout.includes(word), word);
  }
  const inStore = await run(['inspect', '--json', FAMILIAR]);
  const inArchive = await run(['inspect', '--json', '--archive', archive]);
  const piped = await run(['inspect', '--json', '--archive', '-'], { input: await readFile(archive) });
  assert.deepEqual(jsonOf(inArchive.stdout), jsonOf(inStore.stdout));
  assert.equal(piped.stdout, inArchive.stdout);
  assert.equal((await run(['inspect', 'nothing'])).status, 4);
  assert.equal((await run(['inspect'])).status, 2);
  assert.equal((await run(['inspect', FAMILIAR, '--archive', archive])).status, 2);
});

test('verifies a store, and finds a changed bit', async (t) => {
  const { run, store, built } = await workspace(t, { loaded: true });
  const good = await run(['verify']);
  assert.equal(good.status, 0);
  assert.match(good.stdout, /example\/app:1 linux\/arm64: complete\n/);
  assert.match(good.stdout, new RegExp(`^${built.blobs.size} blobs, .* hashed, no damage$`, 'm'));
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  assert.ok(layer);
  const file = path.join(store, blobPath(layer.digest));
  const bytes = await readFile(file);
  bytes[100] = (bytes[100] ?? 0) ^ 0x40;
  await chmod(file, 0o600);
  await writeFile(file, bytes);
  const bad = await run(['verify', '--dry-run', FAMILIAR]);
  assert.equal(bad.status, 5);
  assert.match(bad.stdout, new RegExp(`${layer.digest}.*ERR_DIGEST_MISMATCH`));
  const checked = await run(['verify', '--dry-run', '--json']);
  const { problems } = jsonOf<{ problems: { code: string; digest: string }[] }>(checked.stdout);
  assert.deepEqual(
    [checked.status, problems.map(({ code, digest }) => [code, digest])],
    [5, [['ERR_DIGEST_MISMATCH', layer.digest]]],
  );
  assert.equal((await run(['verify', 'nothing'])).status, 4);
});

test('verifies an archive without a store', async (t) => {
  const { run, archive, store, at } = await workspace(t);
  assert.equal((await run(['verify', '--archive', archive])).status, 0);
  const bytes = await readFile(archive);
  const { length } = bytes;
  bytes[length - 3000] = (bytes[length - 3000] ?? 0) ^ 1;
  await writeFile(at('bad.tar'), bytes);
  assert.equal((await run(['verify', '--archive', at('bad.tar')])).status, 5);
  assert.equal((await run(['verify', '--archive', archive, 'name'])).status, 2);
  assert.equal(await contentOf(store), undefined);
});

test('images and inspect of an archive warn of what a load of it warns of', async (t) => {
  const { run, store, at } = await workspace(t);
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  await writeFile(at('partial.tar'), await layoutArchive(built.images, built.blobs));
  for (const name of ['foreign-root', 'tag-only', 'name-none', 'second-image-in-manifest-json', 'partial']) {
    const archive = name === 'partial' ? at('partial.tar') : path.join(projectRoot(), `test/data/cases/${name}.tar`);
    const told = (await run(['load', '-i', archive])).stderr.split('\n').toSorted();
    assert.ok(name === 'second-image-in-manifest-json' || told.length > 1, name);
    for (const command of ['images', 'inspect']) {
      const text = await run([command, '--archive', archive]);
      assert.deepEqual([text.status, text.stderr.split('\n').toSorted()], [0, told], `${command} ${name}`);
      const json = await run([command, '--archive', archive, '--json']);
      const { warnings, images } = jsonOf<{ warnings: Told[]; images: { warnings?: Told[] }[] }>(json.stdout);
      const all = [...warnings, ...images.flatMap((image) => image.warnings ?? [])];
      assert.deepEqual(all.map(({ message }) => `lading: warning: ${message}`).toSorted(), told.slice(1), command);
    }
    await rm(store, { recursive: true });
  }
});
