import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { LADING, statusOf, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { eventsOf, isValid } from '../fixtures/progress-lines.js';
import { until } from '../fixtures/until.js';

const built = example({ layers: 2, layerBytes: 4_000_000, compression: 'none' });

test('the schema refuses what is no event', () => {
  const time = '2026-11-28T09:16:39.526Z';
  for (const line of [
    {},
    { time, type: 'start', schema: 'dev.lading.progress.v2', op: 'save', images: [] },
    { time, type: 'progress', current: -1, rate: 0, active: [] },
    { time: 'now', type: 'warning', code: 'a', message: 'b' },
    { time, type: 'end', ok: false, status: 5 },
  ])
    assert.equal(isValid(line), false, JSON.stringify(line));
  assert.equal(isValid({ time, type: 'of a later version', more: 1 }), true);
});

test('a save to stdout writes the same archive, and events to stderr', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const plain = await space.run(['save', FAMILIAR]);
  const { status, output, stderr } = await space.run(['save', FAMILIAR, '--progress', 'json']);
  assert.equal(status, 0);
  assert.ok(output.equals(plain.output));
  assert.equal(plain.stderr, '');
  const { told, status: told_status } = eventsOf(stderr);
  assert.deepEqual([told.start.op, told.start.total, told_status], ['save', output.length, 0]);
  assert.ok(told.end.ok);
  assert.equal((told.end.report as { schema: string }).schema, 'lading.save/1');
});

test('LADING_PROGRESS is the default, --progress counts more, and -q means none', async (t) => {
  const space = await workspace(t, { built });
  const env = { LADING_PROGRESS: 'json' };
  const load = ['load', '-i', space.archive];
  const { told } = eventsOf((await space.run(load, { env })).stderr);
  assert.ok(told.end.ok);
  for (const more of [['--progress', 'none'], ['-q'], ['-q', '--progress', 'json']])
    assert.equal((await space.run([...load, ...more], { env })).stderr, '', more.join(' '));
  assert.equal((await space.run(load, { env: { LADING_PROGRESS: '' } })).stderr, '');
  const wrong = await space.run(load, { env: { LADING_PROGRESS: 'loud' } });
  assert.deepEqual([wrong.status, /auto, tty, plain, json, none/.test(wrong.stderr)], [2, true]);
});

test('with --json the report is on stdout, and not in the end', async (t) => {
  const space = await workspace(t, { built });
  const { stdout, stderr } = await space.run(['load', '-i', space.archive, '--json', '--progress', 'json']);
  const { told } = eventsOf(stderr);
  assert.equal((JSON.parse(stdout) as { schema: string }).schema, 'lading.load/1');
  assert.ok(told.end.ok && (told.end.report as unknown) === undefined);
});

test('verify tells its events, for a store and an archive', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  for (const args of [[], ['--archive', space.archive]]) {
    const { told } = eventsOf((await space.run(['verify', ...args, '--progress', 'json'])).stderr);
    assert.equal(told.start.op, 'verify');
    assert.equal(told.bytes.at(-1)?.current, told.bytes.at(-1)?.total);
  }
});

test('a failure is told in the end, with the exit status, and nowhere else', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  for (const [args, code, status] of [
    [['save', 'no/such:1', '-o', space.at('a.tar')], 'ERR_IMAGE_UNKNOWN', 4],
    [['save', FAMILIAR, '-o', space.folder], 'ERR_OPTION_INVALID', 2],
    [['load', '-i', space.at('none.tar')], 'ERR_SOURCE_UNKNOWN', 4],
    [['load', '-i', LADING], 'ERR_ARCHIVE_FORMAT', 5],
  ] as const) {
    const result = await space.run([...args, '--progress', 'json']);
    const { told, status: toldStatus } = eventsOf(result.stderr);
    assert.deepEqual([result.status, toldStatus, told.end.ok ? '' : told.end.error.code], [status, status, code]);
  }
});

test('warnings are among the events', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const { told } = eventsOf(
    (await space.run(['save', FAMILIAR, '-o', space.at('a.tar.gz'), '--progress', 'json'])).stderr,
  );
  assert.deepEqual(told.warnings, ['WARN_PLAIN_TAR']);
});

function start(space: Workspace, script: string): ReturnType<typeof spawn> {
  const env = { ...process.env, LADING: `exec ${process.execPath} ${LADING}`, LADING_STORE: space.store };
  return spawn('bash', ['-o', 'pipefail', '-c', script], { env, stdio: ['pipe', 'pipe', 'pipe'] });
}

async function ended(child: ReturnType<typeof spawn>): Promise<string> {
  let stderr = '';
  child.stderr?.on('data', (chunk) => (stderr += String(chunk)));
  await statusOf(child);
  return stderr;
}

test('a signal is told as the end', async (t) => {
  const space = await workspace(t, { built });
  const child = start(space, '$LADING load --progress json');
  child.stdin?.write(readFileSync(space.archive).subarray(0, 100_000));
  let seen = '';
  child.stderr?.on('data', (chunk) => (seen += String(chunk)));
  const all = ended(child);
  await until(() => seen.includes('"progress"'), 'the load has begun');
  child.kill('SIGINT');
  const { told, status } = eventsOf(await all);
  assert.deepEqual([status, told.end.ok ? '' : told.end.error.code], [130, 'ERR_ABORTED']);
});

test('a reader who goes away is told as the end', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const stderr = await ended(start(space, `($LADING save ${FAMILIAR} --progress json) | head -c 1000 >/dev/null`));
  const { told, status } = eventsOf(stderr);
  assert.deepEqual([told.end.ok, status], [false, 141]);
});

test('goes on when nobody reads stderr any more', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const child = start(space, `$LADING save ${FAMILIAR} --progress json 2> >(exec true) | sha256sum`);
  let sum = '';
  child.stdout?.on('data', (chunk) => (sum += String(chunk)));
  assert.equal(await statusOf(child), 0);
  const plain = start(space, `$LADING save ${FAMILIAR} | sha256sum`);
  const [expected] = (await once(plain.stdout ?? assert.fail(), 'data')) as [Buffer];
  assert.equal(sum, String(expected));
});

test('plain prints a line at the start and one at the end', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const { stderr } = await space.run(['save', FAMILIAR, '-o', space.at('a.tar'), '--progress', 'plain']);
  assert.match(stderr, /^lading: save started, 24\.\d MB\nlading: save done, 24\.\d MB in \d+s\n$/);
  const failed = await space.run(['load', '-i', LADING, '--progress', 'plain']);
  assert.match(failed.stderr, /lading: load failed after 0 B in \d+s, exit status 5\n/);
});

/** Runs a slow save on a terminal of `script`, and returns what the terminal got. */
async function onTerminal(t: TestContext, env: NodeJS.ProcessEnv, more = ''): Promise<string> {
  const space = await workspace(t, { loaded: true, built });
  const reader = '(sleep 1.5; cat >/dev/null)';
  const command = `stty cols 110; ${process.execPath} ${LADING} save ${FAMILIAR} ${more} | ${reader}`;
  const { stdout } = await runCommand('script', ['-qec', `bash -c '${command}'`, '/dev/null'], {
    env: { LADING_STORE: space.store, CI: undefined, TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env },
  });
  return stdout;
}

test('draws on a terminal, and leaves nothing', async (t) => {
  if (!requireTool(t, 'script')) return;
  const text = await onTerminal(t, {});
  assert.match(text, /save|example\/app:1/);
  assert.match(text, /\d%/);
  assert.match(text, /▕/);
  assert.ok(text.endsWith('\x1B[J'), JSON.stringify(text.slice(-80)));
  // Neither hides the cursor nor asks for colours.
  assert.ok(!text.includes('\x1B[?') && !text.includes('\x1B[0m') && !text.includes('\x1B[3'));
});

test('draws in ASCII where the locale names no UTF-8', async (t) => {
  if (!requireTool(t, 'script')) return;
  const text = await onTerminal(t, { LC_ALL: 'C', NO_COLOR: '1' });
  assert.match(text, /\[#*-*\] {1,3}\d+%/);
  assert.equal(Buffer.byteLength(text), text.length);
});

test('draws nothing where the terminal is dumb or in CI, nor with -q', async (t) => {
  if (!requireTool(t, 'script')) return;
  for (const [env, more] of [[{ TERM: 'dumb' }], [{ CI: 'true' }], [{}, '-q']] as const)
    assert.equal(await onTerminal(t, env, more), '');
});

test('survives a resize of the terminal', async (t) => {
  if (!requireTool(t, 'tmux')) return;
  const space = await workspace(t, { loaded: true, built });
  const socket = space.at('tmux');
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (
      await runCommand('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
        env: { TERM: 'xterm', LC_ALL: 'C.UTF-8' },
      })
    ).stdout;
  const command = `${process.execPath} ${LADING} save ${FAMILIAR} --store ${space.store} | (while [ ! -e ${space.at('go')} ]; do sleep 0.1; done; cat >/dev/null); echo all is over; read -r line`;
  const env = 'env -u CI LC_ALL=C.UTF-8';
  await tmux('-u', 'new-session', '-d', '-x', '110', '-y', '20', `${env} bash -c '${command}'`);
  t.after(async () => await tmux('kill-server'));
  const pane = async (): Promise<string> => await tmux('capture-pane', '-p');
  await until(async () => /\d%.*ETA/.test(await pane()), 'the first line is drawn');
  await tmux('resize-window', '-x', '50', '-y', '20');
  await until(async () => /^(?!.*▕).*\d% .*ETA/m.test(await pane()), 'the line is drawn anew');
  for (const line of (await pane()).split('\n')) assert.ok(line.length < 111, line);
  await runCommand('touch', [space.at('go')]);
  await until(async () => (await pane()).includes('all is over'), 'the save is over');
  // What was drawn since the resize is gone.
  assert.doesNotMatch((await pane()).split('\n').slice(-4).join('\n'), /ETA/);
  await tmux('send-keys', 'Enter');
  await until(async () => (await tmux('list-sessions')) === '', 'tmux has ended');
});
