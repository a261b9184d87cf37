import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { jsonEntry } from '../fixtures/archive-entries.js';
import { BlobSet, removeLayers } from '../fixtures/blob-set.js';
import { jsonOf, LADING, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { output } from '../fixtures/command.js';
import { example, NAME } from '../fixtures/example.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { tarOf } from '../fixtures/tar-builder.js';

test('prints what docker prints, for named images and for unnamed ones', async (t) => {
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
  const other = buildManifest(blobs, { platform: 'linux/amd64', seed: 2 });
  const { run } = await workspace(t);
  const archive = await layoutArchive(
    [{ root, name: 'b:1' }, { root, name: 'registry.example:5000/a:2' }, { root: other }, { root }],
    blobs,
  );
  const { status, stdout, stderr } = await run(['load'], { input: archive });
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(
    stdout,
    `Loaded image: b:1\nLoaded image: registry.example:5000/a:2\nLoaded image ID: ${other.digest}\n`,
  );
});

test('loads an image without the name that cannot be used, and says so; with --strict refuses it', async (t) => {
  const { run } = await workspace(t);
  const { root, blobs } = example();
  const input = await layoutArchive([{ root, name: 'example/App:1' }], blobs);
  for (const command of [['load'], ['verify', '--archive', '-']]) {
    const { status, stderr } = await run(command, { input });
    assert.equal(status, 0);
    assert.match(stderr, /^lading: warning: .*"example\/App:1" cannot be used: the repository has upper case letters/);
  }
  const strict = await run(['load', '--strict'], { input });
  assert.equal(strict.status, 2);
  assert.match(strict.stderr, /"example\/App:1".*\[ERR_REFERENCE_INVALID\]/);
  const verified = await run(['verify', '--archive', '-', '--strict'], { input });
  assert.equal(verified.status, 5);
  assert.match(verified.stdout, /^damaged: .*"example\/App:1".*\[ERR_REFERENCE_INVALID\]$/m);
});

test('says which image had the name before', async (t) => {
  const { run } = await workspace(t);
  const blobs = new BlobSet();
  const roots = [1, 2].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
  const printed: string[] = [];
  for (const root of roots)
    printed.push((await run(['load'], { input: await layoutArchive([{ root, name: 'b:1' }], blobs) })).stdout);
  assert.deepEqual(printed, [
    'Loaded image: b:1\n',
    `Moved name: b:1 (before: ${roots[0]?.digest})\nLoaded image: b:1\n`,
  ]);
});

test('reports what it loaded as JSON', async (t) => {
  const { run, archive, built } = await workspace(t);
  const { status, stdout, stderr } = await run([
    'load',
    '--json',
    '-i',
    archive,
    '--platform',
    'linux/arm64,linux/arm/v7',
  ]);
  assert.deepEqual([status, stderr], [0, '']);
  const { blobs, ...rest } = jsonOf<{ blobs: Record<string, number> }>(stdout);
  const platforms = [...built.manifests].map(([platform, { digest }]) => {
    return { platform, digest, state: platform === 'linux/amd64' ? 'excluded' : 'complete' };
  });
  const { digest } = built.root;
  assert.deepEqual(rest, {
    schema: 'lading.load/1',
    images: [{ name: NAME, digest, platforms }],
    leftOut: [],
    moved: [{ name: NAME, to: digest }],
    warnings: [],
    incomplete: false,
  });
  assert.deepEqual(Object.keys(blobs), ['stored', 'present', 'skipped', 'bytesStored', 'bytesSkipped']);
  assert.deepEqual([blobs['stored'], blobs['present'], blobs['skipped']], [1 + 2 * 4, 0, 4]);
});

test('loads from a file and from stdin, packed or not, and prints the image each time', async (t) => {
  const { run, archive, state, built } = await workspace(t);
  const bytes = await readFile(archive);
  for (const [args, input] of [
    [['load', '-i', archive], ''],
    [['load', '-i', '-'], bytes],
    [['load'], gzipSync(bytes)],
  ] as const) {
    const { status, stdout } = await run(args, { input });
    assert.deepEqual([status, stdout], [0, 'Loaded image: example/app:1\n']);
  }
  assert.deepEqual((await state()).blobs, [...built.blobs.keys()].toSorted());
});

test('reads an unread file on stdin by position, and a partly read one from where it stands', async (t) => {
  const { archive, store, built, at, state } = await workspace(t);
  const bytes = await readFile(archive);
  const load = `"${process.execPath}" "${LADING}" load -q --store "$STORE"`;
  const env = { STORE: store, FILE: archive };
  // Reading by position does not move the place where the next reader starts.
  const left = await output('sh', ['-c', `{ ${load} --platform linux/arm64 >&2; wc -c; } < "$FILE"`], { env });
  assert.equal(Number(left), bytes.length);
  const behind = await output('sh', ['-c', `{ head -c 100 > /dev/null; ${load} ; } < "$FILE" 2>&1 || true`], { env });
  assert.match(behind, /ERR_ARCHIVE_FORMAT|ERR_TAR_HEADER/);
  const junk = at('junk');
  await writeFile(junk, Buffer.concat([Buffer.alloc(4096, 'x'), bytes]));
  const rest = `{ dd bs=4096 count=1 of=/dev/null 2> /dev/null; ${load}; wc -c; } < "$FILE"`;
  assert.equal(await output('sh', ['-c', rest], { env: { ...env, FILE: junk } }), 'Loaded image: example/app:1\n0\n');
  assert.deepEqual((await state()).blobs, [...built.blobs.keys()].toSorted());
});

test('warns about missing platforms and exits with 0, or with 3 if they were asked for', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { run, archive } = await workspace(t, { built });
  const refused = await run(['load', '-i', archive, '--platform', 'linux/amd64,linux/arm64']);
  assert.equal(refused.status, 4);
  assert.match(
    refused.stderr,
    /found, but some content is missing: sha256:\w{64}; use --allow-missing .* \[ERR_PLATFORM_UNAVAILABLE\]\n$/,
  );
  const partial = await run(['load', '-i', archive, '--allow-missing', '--platform', 'linux/amd64,linux/arm64']);
  assert.deepEqual([partial.status, partial.stdout], [3, 'Loaded image: example/app:1\n']);
  const all = await run(['load', '-i', archive]);
  assert.equal(all.status, 0);
  assert.match(all.stderr, /^lading: warning: example\/app:1: linux\/arm64 is listed, but sha256:\w{64} is missing\n$/);
  assert.deepEqual((await run(['load', '-q', '-i', archive])).stderr, '');
});

test('refuses the platform that no image has, in the words of docker', async (t) => {
  const { run, archive, state } = await workspace(t);
  const { status, stdout, stderr } = await run(['load', '-i', archive, '--platform', 'linux/arm/v5']);
  assert.deepEqual([status, stdout], [4, '']);
  const words = "image example/app:1 was not loaded: it doesn't provide the requested platform ([linux/arm/v5])";
  const hint = 'use --allow-missing to take the platforms that are there';
  assert.equal(stderr, `lading: ${words}; ${hint} [ERR_PLATFORM_UNAVAILABLE]\n`);
  assert.deepEqual(await state(), { images: [], blobs: [] });
});

test('keeps, replaces or refuses a name that another image has', async (t) => {
  const { run, state, built } = await workspace(t, { loaded: true });
  const other = example({ seed: 'other', platforms: ['linux/amd64'] });
  const input = await layoutArchive(other.images, other.blobs);
  const kept = await run(['load', '--on-conflict', 'keep'], { input });
  assert.deepEqual([kept.status, kept.stdout], [0, '']);
  assert.match(kept.stderr, /^lading: warning: .*was kept\n$/);
  const failed = await run(['load', '--json', '--on-conflict', 'fail'], { input });
  assert.equal(failed.status, 7);
  assert.equal(jsonOf<PrintedError>(failed.stderr).error.code, 'ERR_NAME_CONFLICT');
  assert.deepEqual(
    (await state()).images.map(({ descriptor }) => descriptor.digest),
    [built.root.digest],
  );
  assert.equal((await run(['load'], { input })).status, 0);
  const digests = (await state()).images.map(({ name, descriptor }) => [name, descriptor.digest]);
  assert.deepEqual(digests, [
    [NAME, other.root.digest],
    [undefined, built.root.digest],
  ]);
  assert.equal((await run(['load', '--on-conflict', 'whatever'], { input })).status, 2);
});

const BAD_INPUTS: readonly (readonly [string, Buffer, string])[] = [
  ['nothing', Buffer.alloc(0), 'ERR_ARCHIVE_FORMAT'],
  ['a text', Buffer.from('#!/bin/sh\necho no archive\n'.repeat(40)), 'ERR_ARCHIVE_FORMAT'],
  ['less than a magic number', Buffer.from('hi'), 'ERR_ARCHIVE_TRUNCATED'],
  ['zeros', Buffer.alloc(10_240), 'ERR_ARCHIVE_FORMAT'],
];

for (const [what, input, code] of BAD_INPUTS) {
  test(`refuses ${what} as an archive`, async (t) => {
    const { run, state } = await workspace(t);
    const { status, stdout, stderr } = await run(['load'], { input });
    assert.deepEqual([status, stdout], [5, '']);
    assert.match(stderr, new RegExp(`^lading: .*\\[${code}\\]\\n$`));
    assert.deepEqual(await state(), { images: [], blobs: [] });
  });
}

test('refuses an archive that was cut, packed or not', async (t) => {
  const { run, archive, state } = await workspace(t);
  const bytes = await readFile(archive);
  const ends = [600, 5000, Math.floor(bytes.length / 2), bytes.length - 1024, bytes.length - 512];
  for (const end of ends) {
    const { status, stderr } = await run(['load'], { input: bytes.subarray(0, end) });
    assert.deepEqual([end, status], [end, 5]);
    assert.match(stderr, /\[ERR_ARCHIVE_TRUNCATED\]\n$/);
  }
  const packed = gzipSync(bytes);
  assert.equal((await run(['load'], { input: packed.subarray(0, packed.length / 2) })).status, 5);
  const { images, blobs } = await state();
  assert.deepEqual([images, blobs.length > 0], [[], true], 'whole blobs stay for the next try');
  assert.equal((await run(['prune', '--grace', '0', '--resume', '0'])).status, 0);
  assert.deepEqual(await state(), { images: [], blobs: [] });
});

test('says that a file does not exist', async (t) => {
  const { run, at } = await workspace(t);
  const { status, stderr } = await run(['load', '-i', at('nothing.tar')]);
  assert.equal(status, 4);
  assert.match(stderr, /\[ERR_SOURCE_UNKNOWN\]\n$/);
});

test('names a program for a compression that it cannot unpack', async (t) => {
  const { run } = await workspace(t);
  // A frame header with a window of 2 GiB.
  const zstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 0, 0]);
  const { status, stderr } = await run(['load'], { input: zstd });
  assert.equal(status, 1);
  assert.match(stderr, /zstd -d --long=31 < FILE \| lading load \[ERR_COMPRESSION_UNSUPPORTED\]\n$/);
});

test('never prints control characters from an archive', async (t) => {
  const { run } = await workspace(t);
  const evil = 'app:\u001b[31mred\u0007\r\nLoaded image: trusted:1';
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
  const { status, stdout, stderr } = await run(['load'], { input: await layoutArchive([{ root, name: evil }], blobs) });
  assert.deepEqual([status, stdout], [0, `Loaded image ID: ${root.digest}\n`]);
  assertPlain(stderr);
  const entry = jsonEntry('manifest.json', [{ Config: evil, RepoTags: [evil], Layers: [evil] }]);
  const docker = await run(['load'], { input: await tarOf([entry]) });
  assert.notEqual(docker.status, 0);
  assertPlain(docker.stderr);
});

/** Asserts one line without characters that a terminal obeys. */
function assertPlain(text: string): void {
  // oxlint-disable-next-line no-control-regex -- the test looks for control characters
  assert.match(text, /^[^\u0000-\u001f\u007f-\u009f]*\n$/);
}

test('never prints control characters of labels, platforms and annotations', async (t) => {
  const evil = 'x\u001b[2J\u0007\u202e\nexample/trusted:1';
  const blobs = new BlobSet();
  const config = { Labels: { [evil]: evil }, Entrypoint: [evil], Cmd: [evil] };
  const root = buildManifest(blobs, {
    platform: { os: 'linux', architecture: 'amd64', variant: evil },
    seed: 1,
    configExtra: { config, created: evil },
  });
  const { run } = await workspace(t);
  const loaded = await run(['load'], { input: await layoutArchive([{ root, name: NAME }], blobs) });
  assert.equal(loaded.status, 0);
  for (const args of [['images'], ['inspect', NAME], ['verify']]) {
    const { stdout, stderr } = await run(args);
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) assertPlain(`${line}\n`);
    assert.doesNotMatch(stdout, /^ *example\/trusted:1/m);
  }
});
