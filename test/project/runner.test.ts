import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { contentOf } from '../fixtures/cli-workspace.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';
import { until } from '../fixtures/until.js';

const RUNNER = path.join(projectRoot(), 'scripts', 'test.mjs');

/** A test that starts processes in two groups, makes a folder and a mount, lists the processes, and never ends. */
const HANGS = `
  import { execFileSync, spawn } from 'node:child_process';
  import { mkdtempSync, renameSync, writeFileSync } from 'node:fs';
  import { tmpdir } from 'node:os';
  import path from 'node:path';
  import { test } from 'node:test';
  test('hangs', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lading-test-'));
    writeFileSync(path.join(folder, 'file'), 'content');
    const pids = [false, true].map((detached) => spawn('sleep', ['1000'], { detached, stdio: 'ignore' }).pid);
    const mount = mkdtempSync(path.join(tmpdir(), 'lading-mount-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      // Not every user may mount.
    }
    writeFileSync(process.env.MADE + '.part', JSON.stringify({ pids: [...pids, process.pid], run: tmpdir() }));
    renameSync(process.env.MADE + '.part', process.env.MADE);
    setInterval(() => {}, 1 << 30);
    await new Promise(() => {});
  });`;

/** What the hanging test has made. */
interface Made {
  readonly pids: readonly number[];
  /** The folder of the run. */
  readonly run: string;
}

interface Started {
  readonly child: ReturnType<typeof spawn>;
  readonly ended: Promise<number | string | null>;
  readonly output: () => string;
  /** The file in which the hanging test lists what it has made. */
  readonly list: string;
}

/** Starts the runner with one test file; `through` is a program, with its arguments, that starts the runner. */
async function start(t: TestContext, source: string, through: readonly string[] = []): Promise<Started> {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'some.test.mjs');
  const temporary = path.join(folder, 'tmp');
  await mkdir(temporary);
  await writeFile(file, source);
  const list = path.join(folder, 'made.json');
  const [program, ...args] = [...through, process.execPath, RUNNER, file];
  const child = spawn(program, args, {
    env: { ...process.env, TMPDIR: temporary, MADE: list, NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (output += data.toString()));
  const ended = once(child, 'close').then(([status, signal]: (number | string | null)[]) => signal ?? status ?? null);
  return { child, ended, output: () => output, list };
}

function isRunning(pid: number): boolean {
  try {
    // A zombie has ended, but its parent has not read its status yet.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** Asserts that no process, mount or folder of the run is left. */
async function leavesNothing({ pids, run }: Made): Promise<void> {
  await until(() => !existsSync(run), 'the folder of the run is gone');
  assert.deepEqual(pids.filter(isRunning), []);
  assert.doesNotMatch(await readFile('/proc/mounts', 'utf8'), new RegExp(path.basename(run)));
  await until(() => !existsSync(path.join('/dev/shm', path.basename(run))), 'the folder in memory is gone');
}

async function hanging(t: TestContext, through?: readonly string[]): Promise<Started & { readonly made: Made }> {
  const started = await start(t, HANGS, through);
  await until(() => existsSync(started.list), 'the test has made everything');
  return { ...started, made: JSON.parse(String(await contentOf(started.list))) as Made };
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', 'SIGKILL'],
] as const) {
  test(`leaves nothing behind after ${signal} to the runner`, async (t) => {
    const { child, ended, made } = await hanging(t);
    child.kill(signal);
    assert.equal(await ended, status);
    await leavesNothing(made);
  });
}

test('leaves nothing behind after SIGKILL to the npm that started it', async (t) => {
  const { child, made } = await hanging(t, ['sh', '-c', '"$@"; exit 1', 'sh']);
  child.kill('SIGKILL');
  await leavesNothing(made);
});

test('leaves nothing behind after SIGKILL to a test file, fails, and lists what it removed', async (t) => {
  const { ended, output, made } = await hanging(t);
  process.kill(made.pids.at(-1) ?? 0, 'SIGKILL');
  assert.equal(await ended, 1);
  await leavesNothing(made);
  assert.match(output(), /removed what a test left: process \d+ \(sleep 1000\)/);
  assert.match(output(), /removed what a test left: .*lading-test-/);
});

test('fails a test in which Node prints a warning', async (t) => {
  const { ended, output } = await start(
    t,
    `import { test } from 'node:test';
     test('warns', async () => {
       process.emitWarning('something stays');
       await new Promise((resolve) => setTimeout(resolve, 50));
     });`,
  );
  assert.equal(await ended, 1);
  assert.match(output(), /something stays/);
});

test('ends with 0 if every test passes', async (t) => {
  const { ended, output } = await start(t, `import { test } from 'node:test'; test('passes', () => {});`);
  assert.equal(await ended, 0, output());
});
