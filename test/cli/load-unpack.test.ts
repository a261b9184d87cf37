import assert from 'node:assert/strict';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { jsonOf, LADING, type PrintedError } from '../fixtures/cli-workspace.js';
import { output, runCommand, runLading, type CommandResult } from '../fixtures/command.js';
import { example } from '../fixtures/example.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { asNobody } from '../fixtures/other-user.js';
import { fill, temporaryFolder } from '../fixtures/stores.js';
import { storeWith } from '../fixtures/unpacking.js';

const NAME = 'example/rootfs:1';
const LAYERS = ['bin/ bin/app=run{04755} etc/ etc/c→/etc/d l⇒bin/app ro/{0555} ro/x=1{0000,u7}', 'ro/y=2 etc/.wh.c'];

interface Printed {
  readonly target: { readonly kind: string; readonly path?: string };
  readonly skipped: readonly { readonly what: string }[];
}

interface Place {
  readonly folder: string;
  readonly at: (name: string) => string;
  readonly archive: string;
  /** `lading load` of the archive into another store. */
  readonly load: (...args: readonly string[]) => Promise<CommandResult>;
  readonly unpack: (...args: readonly string[]) => Promise<CommandResult>;
}

async function place(t: TestContext, platform = 'linux/amd64'): Promise<Place> {
  const folder = await temporaryFolder(t);
  const at = (name: string): string => path.join(folder, name);
  await storeWith(
    LAYERS,
    { platform, configExtra: { config: { Cmd: ['x'] } } },
    await OciLayoutStore.open(at('store')),
  );
  const archive = at('image.tar');
  await runLading(['save', '--store', at('store'), '-o', archive, NAME]);
  const load = async (...args: readonly string[]): Promise<CommandResult> =>
    await runLading(['load', '--store', at('other'), '-i', archive, ...args]);
  const unpack = async (...args: readonly string[]): Promise<CommandResult> =>
    await runLading(['unpack', '--store', at('store'), ...args]);
  return { folder, at, archive, load, unpack };
}

/** Whether a line is not about what a bundle has beside its tree, whose times differ. */
const isKept = (line: string): boolean => !/^(?:\.|config\.json) /.test(line);

const unpackedIn = (stdout: string): Printed => jsonOf<{ unpacked: Printed }>(stdout).unpacked;

test('load --unpack makes a directory of the one image that it loaded, after its name is visible', async (t) => {
  const { unpack, at, load } = await place(t);
  const taken = await load('--unpack', at('store'));
  assert.deepEqual([taken.status, taken.stderr.includes('[ERR_TARGET_EXISTS]')], [7, true]);
  await assert.rejects(stat(at('other')), 'nothing was loaded');
  const two = await load('--platform', 'linux/amd64,linux/arm64', '--unpack', at('rootfs'));
  assert.equal(two.status, 2, two.stderr);
  const done = await load('--platform', 'linux/amd64', '--json', '--unpack', at('rootfs'));
  assert.equal(done.status, 0, done.stderr);
  const { unpacked, images } = jsonOf<{ unpacked: Printed; images: readonly object[] }>(done.stdout);
  assert.deepEqual([unpacked.target.path, images.length], [at('rootfs'), 1]);
  assert.equal((await unpack('--platform', 'linux/amd64', NAME, at('direct'))).status, 0);
  assert.deepEqual(await listFolder(at('rootfs')), await listFolder(at('direct')));
});

test('load --unpack of several images unpacks none, and says how to choose', async (t) => {
  const { at } = await place(t);
  const store = await OciLayoutStore.open(at('two'));
  const built = example({ layers: 1 });
  const other = example({ layers: 1, seed: 'other' });
  await fill(store, [{ name: 'docker.io/a/a:1', descriptor: built.root }], built.blobs);
  await fill(store, [{ name: 'docker.io/a/b:1', descriptor: other.root }], other.blobs);
  const archive = at('two.tar');
  await runLading(['save', '--store', at('two'), '-o', archive, 'a/a:1', 'a/b:1']);
  const { status, stderr, stdout } = await runLading([
    'load',
    '--store',
    at('other'),
    '-i',
    archive,
    '--platform',
    'linux/amd64',
    '--unpack',
    at('rootfs'),
  ]);
  assert.deepEqual([status, stderr.includes('--image'), stdout.includes('a/a:1')], [2, true, true]);
  await assert.rejects(stat(at('rootfs')));
});

test('load --unpack takes the options of a directory, and does what unpack does with them', async (t) => {
  const { at, load, unpack } = await place(t);
  const platform = ['--platform', 'linux/amd64'];
  for (const [name, ...options] of [
    ['setid', '--no-setid', '--sync'],
    ['owner', '--owner', 'caller'],
    ['bundle', '--bundle', '--max-names', '100'],
  ] as const) {
    const loaded = await load(...platform, ...options, '--json', '--unpack', at(name));
    assert.equal(loaded.status, 0, loaded.stderr);
    assert.equal(unpackedIn(loaded.stdout).target.kind, name === 'bundle' ? 'bundle' : 'directory');
    assert.equal((await unpack(...platform, ...options, NAME, at('direct'))).status, 0);
    const [own, direct] = [await listFolder(at(name)), await listFolder(at('direct'))];
    assert.deepEqual(own.filter(isKept), direct.filter(isKept), name);
    await output('rm', ['-r', at('direct')]);
  }
});

test('load --unpack refuses what cannot be before anything is loaded', async (t) => {
  const { at, load } = await place(t);
  for (const args of [
    ['--unpack', '-'],
    ['--unpack', at('rootfs'), '--max-names', 'many'],
    ['--unpack', at('rootfs'), '--owner', 'nobody'],
    ['--sync'],
    ['--bundle'],
    ['--no-setid'],
    ['--owner', 'caller'],
    ['--max-names', '5'],
  ]) {
    const { status, stderr } = await load(...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
  }
  assert.deepEqual((await readdir(at(''))).toSorted(), ['image.tar', 'store']);
});

test('load --unpack --owner keep is refused for an ordinary user before anything is loaded', async (t) => {
  const { folder, at, archive } = await place(t);
  const run = await asNobody(t, folder);
  if (run === undefined) return;
  const args = ['load', '--store', at('other'), '-i', archive, '--owner', 'keep', '--unpack', at('rootfs')];
  const { status, stderr } = await run(args);
  assert.deepEqual([status, stderr.includes('[ERR_OPTION_INVALID]')], [2, true]);
  assert.deepEqual((await readdir(folder)).toSorted(), ['image.tar', 'store']);
});

test('load --unpack that fails says that the image was loaded, and --strict is heeded', async (t) => {
  const { folder, at, archive } = await place(t);
  const run = await asNobody(t, folder);
  if (run === undefined) return;
  const platform = ['--platform', 'linux/amd64'];
  const load = ['load', '--store', at('other'), '-i', archive, '--json', '--unpack', at('rootfs')];
  const { status, stderr } = await run([...load, ...platform, '--strict']);
  const { error } = jsonOf<PrintedError & { error: { details: { loaded: unknown } } }>(stderr);
  assert.deepEqual(
    [status, error.code, error.details.loaded],
    [1, 'ERR_UNPACK_INCOMPLETE', ['docker.io/example/rootfs:1']],
  );
  assert.deepEqual((await readdir(folder)).toSorted(), ['image.tar', 'other', 'store']);
  assert.equal((await run(['images', '--store', at('other'), '-q'])).stdout.trim().length > 0, true);
});

test('load --unpack reads a pipe and a folder, and unpacks the best platform for this machine', async (t) => {
  const { at, archive } = await place(t, await localPlatform());
  const load = `${process.execPath} ${LADING} load --json --store ${at('other')}`;
  const piped = await runCommand('bash', ['-c', `cat ${archive} | ${load} --unpack ${at('piped')}`]);
  assert.equal(piped.status, 0, piped.stderr);
  assert.deepEqual(unpackedIn(piped.stdout).target, { kind: 'directory', path: at('piped') });
  await mkdir(at('layout'));
  await output('tar', ['-xf', archive, '-C', at('layout')]);
  const local = await runCommand('bash', [
    '-c',
    `${load} --platform local -i ${at('layout')} --unpack ${at('folder')}`,
  ]);
  assert.equal(local.status, 0, local.stderr);
  assert.deepEqual(await listFolder(at('folder')), await listFolder(at('piped')));
});

test('load --unpack of an image without the platform says which ones it has, and keeps the image', async (t) => {
  const { at, load } = await place(t, 'linux/riscv64');
  const { status, stderr } = await load('--unpack', at('rootfs'));
  assert.deepEqual([status, stderr.includes('linux/riscv64'), stderr.includes('was loaded')], [4, true, true]);
  await assert.rejects(stat(at('rootfs')));
});

test('load --image --unpack takes one of several images', async (t) => {
  const { folder, at } = await place(t);
  const store = await OciLayoutStore.open(at('store'));
  const other = example({ layers: 1, seed: 'other' });
  await fill(store, [{ name: 'docker.io/a/b:1', descriptor: other.root }], other.blobs);
  const archive = path.join(folder, 'two.tar');
  await runLading(['save', '--store', at('store'), '-o', archive, 'a/b:1', NAME]);
  const args = ['--platform', 'linux/amd64', '--json', '--image', NAME, '--unpack', at('rootfs')];
  const { status, stderr } = await runLading(['load', '--store', at('other'), '-i', archive, ...args]);
  assert.equal(status, 0, stderr);
  assert.ok((await readdir(at('rootfs'))).includes('bin'));
});

async function localPlatform(): Promise<string> {
  const { hostPlatform, formatPlatform } = await import('../../src/index.js');
  return formatPlatform(hostPlatform());
}
