import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { blobPath } from '../fixtures/archive-entries.js';
import { removeLayers } from '../fixtures/blob-set.js';
import { contentOf, jsonOf, workspace, type PrintedError, type Workspace } from '../fixtures/cli-workspace.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { readTar } from '../fixtures/saved-archive.js';

test('saves to stdout and to a file alike', async (t) => {
  const { run, at } = await workspace(t, { loaded: true });
  const piped = await run(['save', FAMILIAR]);
  assert.deepEqual([piped.status, piped.stderr], [0, '']);
  const dashed = await run(['save', '-o', '-', FAMILIAR]);
  assert.deepEqual(dashed.output, piped.output);
  const filed = await run(['save', '-o', at('out.tar'), FAMILIAR]);
  assert.deepEqual([filed.status, filed.stdout, filed.stderr], [0, '', '']);
  assert.deepEqual(await contentOf(at('out.tar')), piped.output);
});

interface SaveReport {
  readonly archive: object;
  readonly images: readonly object[];
  readonly blobs: object;
  readonly warnings: readonly object[];
}

test('reports what it saved as JSON, on stderr if the archive goes to stdout', async (t) => {
  const { run, at, built } = await workspace(t, { loaded: true });
  const args = ['save', '--json', '--platform', 'linux/arm64', FAMILIAR];
  const filed = await run([...args, '-o', at('out.tar')]);
  const archive = await readFile(at('out.tar'));
  const entries = await readTar(archive);
  const blobs = entries.filter(({ name }) => /^blobs\/.*[^/]$/.test(name));
  const report = jsonOf<SaveReport>(filed.stdout);
  const { digest } = built.of('linux/arm64');
  assert.deepEqual(report, {
    schema: 'lading.save/1',
    archive: { file: at('out.tar'), size: archive.length, entries: entries.length },
    images: [
      {
        name: NAME,
        digest,
        sourceDigest: built.root.digest,
        platforms: [
          { platform: 'linux/amd64', digest: built.of('linux/amd64').digest, state: 'excluded' },
          { platform: 'linux/arm64', digest, state: 'complete' },
          { platform: 'linux/arm/v7', digest: built.of('linux/arm/v7').digest, state: 'excluded' },
        ],
      },
    ],
    leftOut: [],
    blobs: { count: blobs.length, bytes: blobs.reduce((sum, { body }) => sum + body.length, 0) },
    warnings: [],
    incomplete: false,
  });
  const piped = await run(args);
  assert.deepEqual(piped.output, archive);
  assert.deepEqual(jsonOf(piped.stderr), { ...report, archive: { ...report.archive, file: '-' } });
});

test('takes platforms as comma lists and repeated, and refuses bad ones', async (t) => {
  const { run } = await workspace(t, { loaded: true });
  const comma = await run(['save', '--platform', 'linux/amd64,linux/arm64', FAMILIAR]);
  const repeated = await run(['save', '--platform', 'linux/amd64', '--platform', 'linux/arm64', FAMILIAR]);
  assert.deepEqual([comma.status, repeated.status], [0, 0]);
  assert.deepEqual(repeated.output, comma.output);
  for (const bad of ['linux/', 'unknown/unknown', 'linux/amd64,,linux/arm64', '']) {
    const { status, stdout, stderr } = await run(['save', '--platform', bad, FAMILIAR]);
    assert.deepEqual([bad, status, stdout], [bad, 2, '']);
    assert.match(stderr, /\[ERR_PLATFORM_INVALID\]\n$/);
  }
});

test('warns about missing platforms that were not asked for, and exits with 0', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { run } = await workspace(t, { loaded: true, built });
  const loud = await run(['save', FAMILIAR]);
  assert.equal(loud.status, 0);
  assert.match(
    loud.stderr,
    /^lading: warning: example\/app:1: linux\/arm64 is listed, but sha256:\w{64} is missing\n$/,
  );
  const quiet = await run(['save', '-q', FAMILIAR]);
  assert.deepEqual([quiet.status, quiet.stderr], [0, '']);
  const partial = await run(['save', '--allow-missing', '--platform', 'linux/amd64,linux/arm64', FAMILIAR]);
  assert.deepEqual([partial.status, partial.output.length > 0], [3, true]);
});

const REFUSALS: readonly (readonly [string[], number, string])[] = [
  [['nothing:1'], 4, 'ERR_IMAGE_UNKNOWN'],
  [[FAMILIAR, 'nothing:1'], 4, 'ERR_IMAGE_UNKNOWN'],
  [['--platform', 'linux/s390x', FAMILIAR], 4, 'ERR_PLATFORM_UNAVAILABLE'],
  [['--allow-missing', '--platform', 'linux/s390x', FAMILIAR], 4, 'ERR_PLATFORM_UNAVAILABLE'],
  [['NOT A NAME'], 2, 'ERR_REFERENCE_INVALID'],
];

for (const [args, expected, code] of REFUSALS) {
  test(`refuses before the first byte: save ${args.join(' ')}`, async (t) => {
    const { run, at, folder } = await workspace(t, { loaded: true });
    const piped = await run(['save', ...args]);
    assert.deepEqual([piped.status, piped.output.length], [expected, 0]);
    assert.match(piped.stderr, new RegExp(`^lading: .*\\[${code}\\]\\n$`));
    await writeFile(at('out.tar'), 'an older archive');
    const filed = await run(['save', '--json', '-o', at('out.tar'), ...args]);
    assert.deepEqual([filed.status, filed.stdout], [expected, '']);
    assert.equal(jsonOf<PrintedError>(filed.stderr).error.code, code);
    assert.equal(String(await contentOf(at('out.tar'))), 'an older archive');
    assert.deepEqual((await readdir(folder)).toSorted(), ['archive.tar', 'out.tar', 'store']);
  });
}

async function damageLayer({ built, store }: Workspace): Promise<void> {
  const layer = built.blobs.links(built.of('linux/arm/v7').digest).layers?.at(-1);
  assert.ok(layer);
  const file = path.join(store, blobPath(layer.digest));
  await chmod(file, 0o600);
  await writeFile(file, Buffer.alloc(layer.size));
}

test('leaves no file, and the old one as it was, when a blob of the store is damaged', async (t) => {
  const space = await workspace(t, { loaded: true });
  await damageLayer(space);
  const { run, at, folder } = space;
  const fresh = await run(['save', '-o', at('out.tar'), FAMILIAR]);
  assert.equal(fresh.status, 5);
  assert.match(fresh.stderr, /\[ERR_DIGEST_MISMATCH\]\n$/);
  assert.deepEqual((await readdir(folder)).toSorted(), ['archive.tar', 'store']);
  await writeFile(at('out.tar'), 'an older archive');
  await run(['save', '-o', at('out.tar'), FAMILIAR]);
  assert.equal(String(await contentOf(at('out.tar'))), 'an older archive');
});

test('never ends a damaged archive on stdout like a whole one', async (t) => {
  const space = await workspace(t, { loaded: true });
  await damageLayer(space);
  const saved = await space.run(['save', FAMILIAR]);
  assert.equal(saved.status, 5);
  const loaded = await space.run(['load'], { input: saved.output });
  assert.equal(loaded.status, 5);
  assert.match(loaded.stderr, /\[ERR_ARCHIVE_TRUNCATED\]/);
});

test('replaces the file that was there, and only when the new one is whole', async (t) => {
  const { run, at, folder } = await workspace(t, { loaded: true });
  await writeFile(at('out.tar'), 'an older archive');
  const before = await stat(at('out.tar'));
  assert.equal((await run(['save', '-o', at('out.tar'), FAMILIAR])).status, 0);
  assert.notEqual((await stat(at('out.tar'))).ino, before.ino);
  assert.deepEqual((await readdir(folder)).toSorted(), ['archive.tar', 'out.tar', 'store']);
});

test('writes to a device as it is', async (t) => {
  const { run } = await workspace(t, { loaded: true });
  const { status, stderr } = await run(['save', '-o', '/dev/null', FAMILIAR]);
  assert.deepEqual([status, stderr, (await stat('/dev/null')).isCharacterDevice()], [0, '', true]);
});

test('refuses a directory, and a folder that is not there, as output', async (t) => {
  const { run, at, folder } = await workspace(t, { loaded: true });
  const directory = await run(['save', '-o', folder, FAMILIAR]);
  assert.deepEqual([directory.status, directory.stdout], [2, '']);
  const nowhere = await run(['save', '-o', at('no/out.tar'), FAMILIAR]);
  assert.equal(nowhere.status, 8);
  assert.match(nowhere.stderr, /\[ERR_STORAGE_IO\]\n$/);
});

test('saves from a store that it may not write to, and makes no store if there is none', async (t) => {
  const { run, store, at } = await workspace(t, { loaded: true });
  await rm(path.join(store, '.lading', 'ingest'), { recursive: true });
  assert.equal((await run(['save', '-o', at('out.tar'), FAMILIAR])).status, 0);
  await rm(store, { recursive: true });
  assert.equal((await run(['save', FAMILIAR])).status, 4);
  assert.equal(await contentOf(store), undefined);
});

test('drops attestations and rewrites the index if the options say so', async (t) => {
  const built = example({ attestations: true });
  const { run } = await workspace(t, { loaded: true, built });
  const args = ['save', '--platform', 'linux/arm64', '--index', 'rewrite', '--referrers', 'drop', FAMILIAR];
  const { status, output } = await run(args);
  assert.equal(status, 0);
  const entries = await readTar(output);
  const { manifests } = JSON.parse(String(entries[1]?.body)) as { manifests: { digest: string; mediaType: string }[] };
  assert.equal(manifests[0]?.mediaType, built.root.mediaType);
  assert.notEqual(manifests[0]?.digest, built.root.digest);
  for (const { digest } of built.attestations.values()) {
    assert.ok(!entries.some(({ name }) => name === blobPath(digest)));
  }
});
