import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { LADING, workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand, runLading } from '../fixtures/command.js';
import { FAMILIAR } from '../fixtures/example.js';
import { projectRoot } from '../fixtures/tables.js';

const COMMANDS = ['save', 'load', 'images', 'inspect', 'tag', 'rm', 'prune', 'verify', 'unpack'];

test('prints its version and its commands', async () => {
  const { version } = JSON.parse(await readFile(path.join(projectRoot(), 'package.json'), 'utf8')) as {
    version: string;
  };
  const shown = await runLading(['--version']);
  assert.deepEqual([shown.status, shown.stdout.trim(), shown.stderr], [0, version, '']);
  const help = await runLading(['--help']);
  assert.deepEqual([help.status, help.stderr], [0, '']);
  for (const command of COMMANDS) assert.match(help.stdout, new RegExp(`^ +${command} `, 'm'));
  const save = await runLading(['save', '--help']);
  assert.equal(save.status, 0);
  for (const option of ['--output', '--platform', '--index', '--referrers', '--allow-missing', '--store', '--json']) {
    assert.ok(save.stdout.includes(option), option);
  }
});

const WRONG: readonly (readonly string[])[] = [
  ['nonsense'],
  ['--nonsense'],
  ['save', '--nonsense', 'a'],
  ['save'],
  ['tag', 'one'],
  ['save', '--index', 'whatever', 'a'],
  ['tag', 'too', 'many', 'names'],
];

for (const args of WRONG) {
  test(`refuses the command line: lading ${args.join(' ')}`, async () => {
    const { status, stdout, stderr } = await runLading(args);
    assert.deepEqual([status, stdout], [2, '']);
    assert.notEqual(stderr, '');
  });
}

test('suggests what may have been meant, in one line', async () => {
  for (const args of [['sav'], ['save', '--platfrom', 'linux/amd64', 'a']]) {
    const { stderr } = await runLading(args);
    assert.match(
      stderr,
      /^lading: unknown (?:command|option) '[^']+' \(Did you mean [^)]+\?\) \[ERR_OPTION_INVALID\]\n$/,
    );
  }
});

for (const args of [[], ['--json']]) {
  test(`prints help and exits with 2 for a command line without a command: lading ${args.join(' ')}`, async () => {
    const { status, stdout, stderr } = await runLading(args);
    const help = await runLading(['--help']);
    assert.deepEqual([stdout, stderr], ['', help.stdout]);
    assert.equal(status, 2);
  });
}

test('takes the options of every command before it too; behind it they count more', async (t) => {
  const { store, at, run, state } = await workspace(t, { loaded: true });
  const env = { LADING_STORE: at('nowhere'), XDG_DATA_HOME: '/nonexistent' };
  const listed = async (args: readonly string[]): Promise<boolean> => {
    const { status, stdout, stderr } = await runLading(args, { env });
    assert.deepEqual([status, stderr], [0, ''], args.join(' '));
    return stdout.includes(FAMILIAR);
  };
  for (const args of [
    ['--store', store, 'images'],
    [`--store=${store}`, '--json', 'images'],
    ['--store', at('other'), 'images', '--store', store],
    ['--json', '--store', store, 'inspect', FAMILIAR],
  ])
    assert.equal(await listed(args), true, args.join(' '));
  assert.equal(await listed(['--store', store, 'images', '--store', at('other')]), false);
  assert.equal((await run(['images', '--store', store])).status, 0);
  assert.equal((await runLading(['--store', store, 'rm', FAMILIAR], { env })).status, 0);
  assert.deepEqual((await state()).images, []);
  const wrong = await runLading(['--store', store, '--json', 'inspect', 'nothing'], { env });
  assert.equal((JSON.parse(wrong.stderr) as { error: { code: string } }).error.code, 'ERR_IMAGE_UNKNOWN');
});

const HINTS: readonly (readonly [args: readonly string[], status: number, message: RegExp])[] = [
  [['load', 'all.tar'], 2, /use -i to name the archive: lading load -i "all\.tar" \[ERR_OPTION_INVALID\]/],
  [['load', '--quiet', 'all.tar', 'more.tar'], 2, /use -i .*"all\.tar"/],
  [['inspect', 'archive.tar'], 4, /use --archive archive\.tar \[ERR_IMAGE_UNKNOWN\]/],
  [['verify', 'archive.tar'], 4, /use --archive archive\.tar/],
  [['images', 'archive.tar'], 4, /use --archive archive\.tar/],
  [['inspect', 'nothing.tar'], 4, /in the store \[ERR_IMAGE_UNKNOWN\]/],
  [['save', '--platform', 'linux/s390x', FAMILIAR], 4, /use --allow-missing .*\[ERR_PLATFORM_UNAVAILABLE\]/],
  [['load', '--platform', 'linux/s390x', '-i', 'archive.tar'], 4, /use --allow-missing /],
  [['save', '--allow-missing', '--platform', 'linux/s390x', FAMILIAR], 4, /^(?!.*use --allow-missing)/s],
  [['rm', '--platform', 'linux/s390x', FAMILIAR], 4, /^(?!.*use --allow-missing)/s],
];

test('says with which option a command that fails would work', async (t) => {
  const { run, folder } = await workspace(t, { loaded: true });
  for (const [args, expected, message] of HINTS) {
    const { status, stderr } = await run(args, { cwd: folder });
    assert.equal(status, expected, args.join(' '));
    assert.match(stderr, message);
  }
});

test('has the defaults of its options in the help', async () => {
  for (const [command, ...defaults] of [
    ['save', 'stdout', '"auto"', '"follow"', 'all', '$LADING_STORE'],
    ['load', 'stdin', '"replace"', '"follow"', 'all'],
    ['images', 'all'],
    ['prune', '"1h"', '"24h"'],
    ['verify', 'the whole store'],
    ['serve', '"0600"', '"256"', 'lading/lading.sock', 'stderr'],
  ] as const) {
    const help = (await runLading([command, '--help'])).stdout.replaceAll(/\s+/g, ' ');
    for (const value of defaults) assert.ok(help.includes(`default: ${value}`), `${command} ${value}`);
  }
});

test('says in the help of load what it does not read, and which command does', async () => {
  const { stdout } = await runLading(['load', '--help']);
  assert.match(stdout, /already is not read again.*"lading verify --archive <file>" reads every byte/s);
});

test('warns that a file gets plain tar if its name promises more', async (t) => {
  const { run, at } = await workspace(t, { loaded: true });
  for (const name of ['x.tar.gz', 'x.tgz', 'x.tar.ZST', 'x.tar.xz', 'x.tar.bz2', 'x.txz', 'x.gz']) {
    const { status, stderr } = await run(['save', '-o', at(name), FAMILIAR]);
    assert.equal(status, 0);
    assert.match(stderr, /gets a plain tar.*; to pack it, use --compress gzip\n$/, name);
  }
  for (const args of [
    ['-o', at('x.tar')],
    ['-o', at('gz')],
    ['-q', '-o', at('x.tar.gz')],
  ]) {
    assert.equal((await run(['save', ...args, FAMILIAR])).stderr, '', args.join(' '));
  }
  const { stdout } = await run(['save', '--json', '-o', at('x.tar.gz'), FAMILIAR]);
  const { warnings } = JSON.parse(stdout) as { readonly warnings: readonly { readonly code: string }[] };
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['WARN_PLAIN_TAR'],
  );
});

test('ends a save to a file with one line on a terminal, and only there', async (t) => {
  if (!requireTool(t, 'script')) return;
  const { run, store, at } = await workspace(t, { loaded: true });
  const onTerminal = async (...args: readonly string[]): Promise<string> => {
    const words = [process.execPath, LADING, 'save', '--store', store, ...args, FAMILIAR];
    const command = words.map((word) => `'${word}'`).join(' ');
    return (await runCommand('script', ['-qec', command, '/dev/null'])).stdout.replaceAll('\r', '');
  };
  const line = /^Saved 1 image, [\d.]+ kB, to \S+out\.tar in \d+\.\d s\n$/;
  assert.match(await onTerminal('-o', at('out.tar')), line);
  assert.equal(await onTerminal('-q', '-o', at('out.tar')), '');
  assert.doesNotMatch(await onTerminal('--json', '-o', at('out.tar')), /^Saved/m);
  assert.equal((await run(['save', '-o', at('out.tar'), FAMILIAR])).stderr, '');
});

async function listed(env: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<string> {
  return (await runLading(['images', '-q', ...args], { env })).stdout;
}

test('finds the store by option, then LADING_STORE, then XDG_DATA_HOME', async (t) => {
  const { run, archive, at, store } = await workspace(t);
  const inHome = await runLading(['load', '-i', archive], { env: { XDG_DATA_HOME: at('data') } });
  assert.equal(inHome.status, 0, inHome.stderr);
  const id = await listed({}, ['--store', at('data/lading')]);
  assert.match(id, /^sha256:\w{64}\n$/);
  assert.equal(await listed({ XDG_DATA_HOME: at('data') }), id);
  assert.equal(await listed({ XDG_DATA_HOME: at('data'), LADING_STORE: at('other') }), '');
  assert.equal(await listed({ LADING_STORE: at('data/lading') }), id);
  assert.equal(await listed({ LADING_STORE: at('data/lading') }, ['--store', store]), '');
  assert.equal((await run(['images', '-q'])).stdout, '');
});
