import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { flattenImage } from '../../src/unpack/flatten-image.js';
import { planUnpack } from '../../src/unpack/plan-unpack.js';
import { unpackImage } from '../../src/unpack/unpack-image.js';
import type { UnpackOptions } from '../../src/unpack/unpack-options.js';
import type { UnpackReport } from '../../src/unpack/report-shapes.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { allOf, IMAGE, storeWith } from '../fixtures/unpacking.js';

const OPTIONS = { platform: 'linux/amd64', bundle: true } as const;

interface Made {
  readonly folder: string;
  readonly target: string;
  readonly report: Promise<UnpackReport>;
}

/** A bundle of these layers, of an image with this user. */
async function bundled(
  t: TestContext,
  layers: readonly string[],
  config: object = {},
  options: UnpackOptions = {},
): Promise<Made> {
  const folder = await temporaryFolder(t);
  const target = path.join(folder, 'bundle');
  const store = await storeWith(layers, { configExtra: { config } });
  return { folder, target, report: unpackImage(store, IMAGE, target, { ...OPTIONS, ...options }) };
}

async function userOf(t: TestContext, layers: readonly string[], User: string): Promise<unknown> {
  const { target, report } = await bundled(t, layers, { User, Cmd: ['x'] });
  await report;
  return (JSON.parse(await configOf(target)) as { process: { user: unknown } }).process.user;
}

async function configOf(bundle: string): Promise<string> {
  return await readFile(path.join(bundle, 'config.json'), 'utf8');
}

describe('a bundle', () => {
  test('has the tree, a config with the same bytes each time, and is private whatever the umask', async (t) => {
    const umask = process.umask(0o377);
    t.after(() => process.umask(umask));
    const { target, report } = await bundled(t, ['a/ a/x=1', 'b⇒a/x'], { Cmd: ['/a/x'] }, { sync: true });
    const { target: made, warnings } = await report;
    assert.deepEqual([made, warnings], [{ kind: 'bundle', path: target }, []]);
    assert.deepEqual((await readdir(target)).toSorted(), ['config.json', 'rootfs']);
    const modes = await Promise.all([target, path.join(target, 'config.json')].map(async (file) => await stat(file)));
    assert.deepEqual(
      modes.map(({ mode }) => mode & 0o7777),
      [0o700, 0o644],
    );
    const again = await bundled(t, ['a/ a/x=1', 'b⇒a/x'], { Cmd: ['/a/x'] });
    await again.report;
    assert.equal(await configOf(again.target), await configOf(target));
    assert.deepEqual(
      await listFolder(path.join(again.target, 'rootfs')),
      await listFolder(path.join(target, 'rootfs')),
    );
  });

  test('says that an image without a command runs a shell', async (t) => {
    const { report } = await bundled(t, ['x=1']);
    assert.deepEqual(
      (await report).warnings.map(({ code }) => code),
      ['WARN_BUNDLE_COMMAND'],
    );
  });

  test('keeps set-id bits, also of files that all belong to the caller', async (t) => {
    const { target, report } = await bundled(t, ['su=1{04755}'], {}, { owner: 'caller' });
    assert.deepEqual((await report).skipped, []);
    assert.equal((await stat(path.join(target, 'rootfs/su'))).mode & 0o7777, 0o4755);
    const without = await bundled(t, ['su=1{04755}'], {}, { setId: false, strict: true });
    await without.report;
    assert.equal((await stat(path.join(without.target, 'rootfs/su'))).mode & 0o7777, 0o755);
  });

  test('takes the user from the files that the layers end with, through links that stay inside', async (t) => {
    if (process.geteuid?.() !== 0) return t.skip('needs root, who keeps the user');
    assert.deepEqual(await userOf(t, ['etc/ etc/passwd=u:x:1:2', 'etc/passwd=u:x:3:4'], 'u'), { uid: 3, gid: 4 });
    const linked = ['etc/ etc/passwd→../../../real/p real/ real/p→/f f=u:x:5:6'];
    assert.deepEqual(await userOf(t, linked, 'u'), { uid: 5, gid: 6 });
    assert.deepEqual(await userOf(t, ['etc/ etc/passwd=u:x:1:2 etc/group⇒etc/passwd'], 'u:u'), { uid: 1, gid: 1 });
    assert.deepEqual(await userOf(t, ['etc/ etc/passwd='], '9'), { uid: 9, gid: 0 });
    assert.deepEqual(await userOf(t, ['etc→gone x=1'], '9'), { uid: 9, gid: 0 });
  });

  for (const [what, layers] of Object.entries({
    'is not in the file': ['etc/ etc/passwd=root:x:0:0'],
    'has no file': ['x=1'],
    'has an empty file': ['etc/ etc/passwd='],
    'has a file that a later layer removes': ['etc/ etc/passwd=u:x:1:2', 'etc/.wh.passwd'],
    'has a directory as its file': ['etc/ etc/passwd/'],
    'has a file that points nowhere': ['etc/ etc/passwd→/etc/shadow'],
    'has a file above 1 MiB': [`etc/ etc/passwd=u:x:1:2:${'y'.repeat(2 ** 20)}`],
  })) {
    test(`is not made for a user who ${what}`, async (t) => {
      const { folder, report } = await bundled(t, layers, { User: 'u' });
      await assert.rejects(report, { code: 'ERR_USER_UNKNOWN' });
      assert.deepEqual(await readdir(folder), []);
      const store = await storeWith(layers, { configExtra: { config: { User: 'u' } } });
      await assert.rejects(planUnpack(store, IMAGE, OPTIONS), { code: 'ERR_USER_UNKNOWN' });
    });
  }

  test('of a passwd file that points to itself is refused', async (t) => {
    const { folder, report } = await bundled(t, ['etc/ etc/passwd→passwd'], { User: 'u' });
    await assert.rejects(report, { code: 'ERR_TAR_ENTRY' });
    assert.deepEqual(await readdir(folder), []);
  });

  test('stops at an unknown user before the other files are written', async (t) => {
    const folder = await temporaryFolder(t);
    const store = await storeWith([`etc/ etc/passwd=`, `large=${'y'.repeat(300_000)}`], {
      configExtra: { config: { User: 'u' } },
    });
    let written = 0;
    const onProgress: UnpackOptions['onProgress'] = ({ phase, bytes }) =>
      void (written = phase === 'write' ? bytes : 0);
    const options = { ...OPTIONS, onProgress };
    await assert.rejects(unpackImage(store, IMAGE, path.join(folder, 'b'), options), { code: 'ERR_USER_UNKNOWN' });
    assert.equal(written, 0);
  });

  test('planUnpack tells the same warnings as the report', async (t) => {
    const { report } = await bundled(t, ['etc/ etc/passwd=u:x:1:2'], { User: 'u' });
    const store = await storeWith(['etc/ etc/passwd=u:x:1:2'], { configExtra: { config: { User: 'u' } } });
    const plan = await planUnpack(store, IMAGE, OPTIONS);
    const { target: _, ...rest } = await report;
    assert.deepEqual(plan, rest);
  });

  test('is made for Linux only, of any architecture', async (t) => {
    const folder = await temporaryFolder(t);
    const make = async (platform: string): Promise<unknown> => {
      const store = await storeWith(['x=1'], { platform });
      return await unpackImage(store, IMAGE, path.join(folder, platform.replace('/', '-')), { platform, bundle: true });
    };
    await make('linux/s390x');
    await assert.rejects(make('freebsd/amd64'), { code: 'ERR_TARGET_UNSUPPORTED' });
    assert.deepEqual(await readdir(folder), ['linux-s390x']);
  });

  test('is no flat tar', async () => {
    const tar = flattenImage(await storeWith(['x=1']), IMAGE, OPTIONS);
    await assert.rejects(allOf(tar), { code: 'ERR_OPTION_INVALID' });
  });
});
