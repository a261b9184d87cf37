import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { specialCalls } from '../../src/files/special-calls.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import type { Skipped } from '../../src/unpack/report-shapes.js';
import { jsonOf, LADING } from '../fixtures/cli-workspace.js';
import { runCommand, type CommandResult } from '../fixtures/command.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { expectedListing } from '../fixtures/layer-sets.js';
import { NOBODY, requireNobody } from '../fixtures/other-user.js';
import { mountTmpfs } from '../fixtures/small-disk.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { storeWith } from '../fixtures/unpacking.js';

const NAME = 'example/rootfs:1';

/** A version 2 value: the program may bind to low ports. */
const CAPABILITY = '\u0001\0\0\u0002\0\u0004\0\0\0\0\0\0\0\0\0\0\0\0\0\0';

/** Everything that Node.js cannot make, with a name that is no UTF-8, hard links, and rights that keep the owner out. */
const TREE = ['d/{0555,user.d=1}', `d/f=1{0000,user.a=x,user.b=y,security.capability=${CAPABILITY}}`, 'd/p\xff≡d/q'];
const FIFO = 'p:d/p\xff{0640,@7}';
const DEVICES = 'c:null{1:3,0666} b:big{259:70000,0600,u5,g6}';
const LAYER = `${TREE[0]} ${TREE[1]} ${FIFO} d/q⇒d/p\xff ${DEVICES}`;
const FIFOS = 'p:d/p\xff≡d/q{0640,@7}';

interface Place {
  readonly at: (name: string) => string;
  readonly run: (how: How, ...args: readonly string[]) => Promise<CommandResult>;
}

interface How {
  readonly native?: 'off';
  readonly user?: number;
}

async function place(t: TestContext, layer = LAYER): Promise<Place> {
  const folder = await temporaryFolder(t);
  const at = (name: string): string => path.join(folder, name);
  await storeWith([layer], {}, await OciLayoutStore.open(at('store')));
  await runCommand('chown', ['-R', `${NOBODY}:${NOBODY}`, folder]);
  const run = async ({ native, user }: How, ...args: readonly string[]): Promise<CommandResult> => {
    const as = user === undefined ? [] : ['setpriv', '--reuid', `${user}`, '--regid', `${user}`, '--clear-groups'];
    const common = [process.execPath, LADING, 'unpack', '--platform', 'linux/amd64', '--store', at('store')];
    const env = { LADING_NATIVE: native, LADING_STORE: undefined, XDG_DATA_HOME: '/nonexistent' };
    return await runCommand('env', [...as, ...common, '--json', ...args, NAME, at('rootfs')], { env });
  };
  return { at, run };
}

function skippedIn({ stdout, stderr, status }: CommandResult): readonly Skipped[] {
  assert.equal(status, 0, stderr);
  return jsonOf<{ skipped: readonly Skipped[] }>(stdout).skipped;
}

/** Whether the test may make devices. In CI it must. */
function isAble(t: TestContext): boolean {
  if (process.geteuid?.() !== 0) t.skip('needs root, who makes devices');
  else if (specialCalls() === undefined) t.skip('needs native calls');
  else return true;
  return false;
}

test('root gets devices, fifos and all extended attributes, and nothing is left out', async (t) => {
  if (!isAble(t)) return;
  const { at, run } = await place(t);
  assert.deepEqual(skippedIn(await run({}, '--strict', '--sync')), []);
  assert.deepEqual(await listFolder(at('rootfs')), expectedListing(`${TREE[0]} ${TREE[1]} ${FIFOS} ${DEVICES}`));
});

test('an ordinary user gets fifos and the attributes of users, whatever the modes and the umask', async (t) => {
  if (!isAble(t) || !(await requireNobody(t))) return;
  const { at, run } = await place(t);
  const skipped = skippedIn(await run({ user: NOBODY }));
  assert.deepEqual(skipped, [
    { what: 'device', count: 2, first: 'null' },
    { what: 'xattr', count: 1, first: 'd/f' },
  ]);
  const own = `u${NOBODY},g${NOBODY}`;
  const expected = `./{${own}} d/{0555,${own},user.d=1} d/f=1{0000,${own},user.a=x,user.b=y} p:d/p\xff≡d/q{0640,@7,${own}}`;
  assert.deepEqual(await listFolder(at('rootfs')), expectedListing(expected));
  const strict = await run({ user: NOBODY }, '--strict');
  assert.equal(strict.status, 7, 'the directory is there');
});

test('without native calls all of it is left out and counted, and --strict refuses it before anything is written', async (t) => {
  if (!isAble(t) || !(await requireNobody(t))) return;
  for (const user of [undefined, NOBODY]) {
    const { at, run } = await place(t);
    const how = { native: 'off', ...(user !== undefined && { user }) } as const;
    const strict = await run(how, '--strict');
    assert.deepEqual([strict.status, strict.stderr.includes('ERR_UNPACK_INCOMPLETE')], [1, true]);
    assert.deepEqual(await readdir(at('')), ['store']);
    const counts = Object.fromEntries(skippedIn(await run(how)).map(({ what, count }) => [what, count]));
    assert.deepEqual(counts, { device: 3, xattr: 4 });
    assert.deepEqual((await readdir(at('rootfs/d'))).length, 1);
  }
});

test('--no-setid takes file capabilities too, and counts them with the set-id bits', async (t) => {
  if (!isAble(t)) return;
  for (const [args, kept] of [
    [['--no-setid'], false],
    [['--owner', 'caller'], false],
    [['--bundle', '--owner', 'caller'], true],
    [[], true],
  ] as const) {
    const { at, run } = await place(t, `f=1{0755,user.a=x,security.capability=${CAPABILITY}} su=2{04755}`);
    const skipped = skippedIn(await run({}, '--strict', ...args));
    assert.deepEqual(skipped, kept ? [] : [{ what: 'set-id', count: 2, first: 'f' }]);
    const lines = await listFolder(at(args[0] === '--bundle' ? 'rootfs/rootfs' : 'rootfs'));
    assert.equal(
      lines.some((line) => line.includes('security.capability')),
      kept,
    );
    assert.ok(lines.some((line) => line.includes('user.a=x')));
  }
});

test('attributes that a file system has no place for are left out and counted; --strict then leaves nothing', async (t) => {
  if (!isAble(t)) return;
  // ramfs knows no attributes of users.
  const disk = await mountTmpfs(t, '1m', 'ramfs');
  if (disk === undefined) return;
  const { at } = await place(t, 'a/{user.d=1} a/f=1{user.a=x} b=2');
  const args = ['unpack', '--platform', 'linux/amd64', '--store', at('store'), '--json'];
  const lading = async (...more: readonly string[]): Promise<CommandResult> =>
    await runCommand(process.execPath, [LADING, ...args, ...more, NAME, path.join(disk, 'rootfs')]);
  const strict = await lading('--strict');
  assert.deepEqual([strict.status, strict.stderr.includes('ERR_UNPACK_INCOMPLETE')], [1, true]);
  assert.deepEqual(await readdir(disk), []);
  const { skipped, warnings } = jsonOf<{ skipped: unknown; warnings: readonly unknown[] }>((await lading()).stdout);
  assert.deepEqual([skipped, warnings.length], [[{ what: 'xattr', count: 2, first: 'a/f' }], 1]);
});

test('an attribute value that the kernel refuses is left out and counted', async (t) => {
  if (!isAble(t)) return;
  const { run } = await place(t, 'f=1{security.capability=bad}');
  assert.deepEqual(skippedIn(await run({})), [{ what: 'xattr', count: 1, first: 'f' }]);
});

test('an attribute that is too large for the file system is an error that names it, and leaves nothing', async (t) => {
  if (!isAble(t)) return;
  const { at, run } = await place(t, `f=1{user.a=${'x'.repeat(60_000)}}`);
  const { status, stdout, stderr } = await run({});
  // Some file systems have room for 64 KiB.
  if (status === 0) return assert.deepEqual(jsonOf<{ skipped: unknown }>(stdout).skipped, []);
  assert.deepEqual([status, /user\.a.*60000 bytes/.test(stderr)], [8, true], stderr);
  assert.deepEqual(await readdir(at('')), ['store']);
});
