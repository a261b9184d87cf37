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

/** Makes what tests make, tells it in a file, and never ends: processes of its own group and of others, a folder, a mount. */
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
      // Not everybody may mount.
    }
    writeFileSync(process.env.TOLD + '.part', JSON.stringify({ pids: [...pids, process.pid], run: tmpdir() }));
    renameSync(process.env.TOLD + '.part', process.env.TOLD);
    setInterval(() => {}, 1 << 30);
    await new Promise(() => {});
  });`;

interface Told {
  readonly pids: readonly number[];
  /** The folder of the run. */
  readonly run: string;
}

interface Started {
  readonly child: ReturnType<typeof spawn>;
  readonly ended: Promise<number | string | null>;
  readonly output: () => string;
  readonly told: string;
}

/** Starts the runner with one file of tests; `through` starts it by another program. */
async function start(t: TestContext, source: string, through: readonly string[] = []): Promise<Started> {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'some.test.mjs');
  const temporary = path.join(folder, 'tmp');
  await mkdir(temporary);
  await writeFile(file, source);
  const told = path.join(folder, 'told.json');
  const [program, ...args] = [...through, process.execPath, RUNNER, file];
  const child = spawn(program, args, {
    env: { ...process.env, TMPDIR: temporary, TOLD: told, NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (output += data.toString()));
  const ended = once(child, 'close').then(([status, signal]: (number | string | null)[]) => signal ?? status ?? null);
  return { child, ended, output: () => output, told };
}

function isRunning(pid: number): boolean {
  try {
    // A zombie has ended, and waits for its parent.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** Nothing of the run is left: no process, no mount, no folder. */
async function leavesNothing({ pids, run }: Told): Promise<void> {
  await until(() => !existsSync(run), 'the folder of the run is gone');
  assert.deepEqual(pids.filter(isRunning), []);
  assert.doesNotMatch(await readFile('/proc/mounts', 'utf8'), new RegExp(path.basename(run)));
  await until(() => !existsSync(path.join('/dev/shm', path.basename(run))), 'the folder in memory is gone');
}

async function hanging(t: TestContext, through?: readonly string[]): Promise<Started & { readonly what: Told }> {
  const started = await start(t, HANGS, through);
  await until(() => existsSync(started.told), 'the test has made everything');
  return { ...started, what: JSON.parse(String(await contentOf(started.told))) as Told };
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', 'SIGKILL'],
] as const) {
  test(`leaves nothing of tests that ${signal} to the runner interrupts`, async (t) => {
    const { child, ended, what } = await hanging(t);
    child.kill(signal);
    assert.equal(await ended, status);
    await leavesNothing(what);
  });
}

test('leaves nothing of tests whose npm is killed', async (t) => {
  const { child, what } = await hanging(t, ['sh', '-c', '"$@"; exit 1', 'sh']);
  child.kill('SIGKILL');
  await leavesNothing(what);
});

test('leaves nothing of a file of tests that is killed, fails, and tells what was left', async (t) => {
  const { ended, output, what } = await hanging(t);
  process.kill(what.pids.at(-1) ?? 0, 'SIGKILL');
  assert.equal(await ended, 1);
  await leavesNothing(what);
  assert.match(output(), /removed what a test left: process \d+ \(sleep 1000\)/);
  assert.match(output(), /removed what a test left: .*lading-test-/);
});

test('fails a test that has Node warn of something', async (t) => {
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

test('ends with 0 where every test passes', async (t) => {
  const { ended, output } = await start(t, `import { test } from 'node:test'; test('passes', () => {});`);
  assert.equal(await ended, 0, output());
});
