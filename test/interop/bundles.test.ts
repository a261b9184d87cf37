import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { output, requireTool, runCommand, runLading, type CommandResult } from '../fixtures/command.js';
import { layerOf } from '../fixtures/layer-sets.js';
import { asNobody, NOBODY } from '../fixtures/other-user.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { storeWith } from '../fixtures/unpacking.js';
import { busyboxTar, requireBusybox } from './busybox-image.js';

const NAME = 'example/rootfs:1';
const PASSWD = ['root:x:0:0:r:/:/bin/sh', 'app:x:7:8:a:/:/bin/sh', ''].join('\n');
const GROUP = ['app:x:8:', 'more:x:9:root,app', ''].join('\n');
/** Spaces separate entries of the notation, so lines have none. */
const FILES = layerOf(`etc/ etc/passwd=${PASSWD} etc/real=${GROUP} etc/group→real data/{0777} data/su=1{04755}`);

/** What a container prints of itself. */
const TELL = [
  'busybox id -u; busybox id -g; busybox id -G; pwd; echo $A; echo $PATH; busybox hostname',
  'busybox grep -E "^Cap(Eff|Bnd|Inh|Amb)" /proc/self/status | busybox tr "\\n\\t" "  "; echo',
  'echo x > /data/new && echo wrote; (echo y > /proc/sys/kernel/hostname) 2> /data/err || echo read-only',
].join('\n');

interface Scene {
  readonly folder: string;
  readonly at: (name: string) => string;
  readonly args: readonly string[];
}

async function scene(t: TestContext, config: object): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const at = (name: string): string => path.join(folder, name);
  const store = await OciLayoutStore.open(at('store'));
  await storeWith([busyboxTar('linux/amd64'), FILES], { configExtra: { config } }, store);
  const args = [
    'unpack',
    '--bundle',
    '--platform',
    'linux/amd64',
    '--store',
    at('store'),
    '--json',
    NAME,
    at('bundle'),
  ];
  return { folder, at, args };
}

const TELLING = { Entrypoint: ['/bin/busybox', 'sh', '-c'], Cmd: [TELL], WorkingDir: 'data', Env: ['A=b c'] };
const PATHS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The Engine's fourteen capabilities as the kernel prints them. */
const ALL = '00000000a80425fb';
const NONE = '0000000000000000';

test('runc runs a bundle as root, as the user and in the folder that the image says', async (t) => {
  if (!requireTool(t, 'runc') || !requireBusybox(t)) return;
  if (process.geteuid?.() !== 0) return t.skip('needs root');
  for (const [User, ids, active] of [
    ['', ['0', '0', '0'], ALL],
    ['app', ['7', '8', '8 9'], NONE],
    ['7:9', ['7', '9', '9'], NONE],
    ['root:more', ['0', '9', '9'], ALL],
  ] as const) {
    const { args, at } = await scene(t, { ...TELLING, User });
    const made = await runLading(args);
    assert.equal(made.status, 0, made.stderr);
    const { status, stdout, stderr } = await runBundle(at, []);
    assert.equal(status, 0, stderr);
    const caps = `CapInh: ${NONE} CapEff: ${active} CapBnd: ${ALL} CapAmb: ${NONE}`;
    const expected = [...ids, '/data', 'b c', PATHS, 'lading', caps, 'wrote', 'read-only'];
    assert.deepEqual(linesOf(stdout), expected, User);
    assert.equal(await readFile(at('bundle/rootfs/data/new'), 'utf8'), 'x\n');
  }
});

test('runc runs the bundle of an ordinary user, who is root in it', async (t) => {
  if (!requireTool(t, 'runc') || !requireBusybox(t)) return;
  const { args, at, folder } = await scene(t, { ...TELLING, User: 'app' });
  const run = await asNobody(t, folder);
  if (run === undefined) return;
  const made = await run(args);
  assert.equal(made.status, 0, made.stderr);
  assert.ok(made.stdout.includes('WARN_BUNDLE_USER'), made.stdout);
  const as = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];
  const { status, stdout, stderr } = await runBundle(at, as);
  assert.equal(status, 0, stderr);
  const caps = `CapInh: ${NONE} CapEff: ${ALL} CapBnd: ${ALL} CapAmb: ${NONE}`;
  assert.deepEqual(linesOf(stdout), ['0', '0', '0', '/data', 'b c', PATHS, 'lading', caps, 'wrote', 'read-only']);
  assert.equal((await stat(at('bundle/rootfs/data/new'))).uid, NOBODY);
  assert.equal((await stat(at('bundle/rootfs/data/su'))).mode & 0o7777, 0o4755);
});

test('says the same of the process as a bundle of umoci', async (t) => {
  if (!requireTool(t, 'umoci') || !requireBusybox(t)) return;
  if (process.geteuid?.() !== 0) return t.skip('needs root');
  const ports = { ExposedPorts: { '80/tcp': {}, '53/udp': {} }, StopSignal: 'SIGINT', Labels: { a: 'b' } };
  for (const User of ['', '7', 'app', '7:9', 'app:more']) {
    const { args, at } = await scene(t, { ...TELLING, ...ports, WorkingDir: '/data', User });
    const made = await runLading(args);
    assert.equal(made.status, 0, made.stderr);
    await output('umoci', ['unpack', '--image', `${at('store')}:docker.io/${NAME}`, at('umoci')]);
    assert.deepEqual(await saidBy(at('bundle')), await saidBy(at('umoci')), User);
  }
});

interface Said {
  readonly process: {
    readonly args: unknown;
    readonly env: readonly string[];
    readonly cwd: string;
    readonly user: object;
  };
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * What image-spec decides of a bundle. umoci adds TERM, HOME and an empty author, leaves out further groups, and has ports
 * in the order of a map.
 */
async function saidBy(bundle: string): Promise<object> {
  const { process, annotations } = JSON.parse(await readFile(path.join(bundle, 'config.json'), 'utf8')) as Said;
  const { args, env, cwd, user } = process;
  const key = 'org.opencontainers.image';
  const { [`${key}.exposedPorts`]: ports = '', [`${key}.author`]: author = '', ...others } = annotations;
  const variables = env.filter((one) => !/^(?:TERM|HOME)=/.test(one)).toSorted();
  return {
    args,
    variables,
    cwd,
    user: { ...user, additionalGids: undefined },
    author,
    ports: ports.split(',').toSorted(),
    others,
  };
}

/** Lines without spaces at their ends. */
function linesOf(text: string): readonly string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim());
}

async function runBundle(at: Scene['at'], as: readonly string[]): Promise<CommandResult> {
  assert.deepEqual((await readdir(at('bundle'))).toSorted(), ['config.json', 'rootfs']);
  const modes = await Promise.all(['bundle', 'bundle/config.json'].map(async (name) => (await stat(at(name))).mode));
  assert.deepEqual(
    modes.map((mode) => mode & 0o7777),
    [0o700, 0o644],
  );
  if (as.length > 0) {
    await mkdir(at('state'));
    await output('chown', [`${NOBODY}:${NOBODY}`, at('state')]);
  }
  const runc = ['runc', '--root', at('state'), 'run', '--bundle', at('bundle'), `lading-${path.basename(at(''))}`];
  return await runCommand('env', [...as, ...runc]);
}
