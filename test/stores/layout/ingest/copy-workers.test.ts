import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { digestOf } from '../../../../src/model/digest.js';
import type { Copied, PartTask } from '../../../../src/stores/layout/ingest/copy-tasks.js';
import { CopyWorkers, WorkerFailure } from '../../../../src/stores/layout/ingest/copy-workers.js';
import { seededBytes } from '../../../fixtures/seeded.js';
import { temporaryFolder } from '../../../fixtures/stores.js';
import { openFds, until } from '../../../fixtures/until.js';

/** Counts files, so that each has its own name. */
let targets = 0;

const BYTES = seededBytes('copied', 3_000_000);

interface Files {
  readonly source: number;
  /** Opens a new file for writing, and returns its path. */
  readonly target: (name: string) => { readonly fd: number; readonly file: string };
}

async function files(t: TestContext): Promise<Files> {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'source'), BYTES);
  const open: number[] = [openSync(path.join(folder, 'source'), 'r')];
  t.after(() => open.forEach((fd) => closeSync(fd)));
  const target = (name: string): { fd: number; file: string } => {
    const file = path.join(folder, name);
    const fd = openSync(file, 'wx');
    open.push(fd);
    return { fd, file };
  };
  return { source: open[0] ?? -1, target };
}

/** Threads that run a script of the test. */
function workersOf(script: string, max = 2): CopyWorkers {
  return new CopyWorkers(max, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
}

function copyOf(fd: number, target: number, part: Partial<PartTask> = {}): PartTask {
  return { fd, target, start: 0, size: BYTES.length, algorithm: 'sha256', ...part };
}

function copied(bytes: Buffer, algorithm: PartTask['algorithm'] = 'sha256'): Copied {
  return { size: bytes.length, digest: digestOf(bytes, algorithm) };
}

test('copies parts of a file in parallel, and returns their digests', async (t) => {
  const { source, target } = await files(t);
  const workers = new CopyWorkers(2);
  const parts = Array.from({ length: 20 }, (_, at) => ({ start: at * 100_001, size: 50_000 * (at + 1) }));
  const targets = parts.map((_, at) => target(String(at)));
  const results = await Promise.all(
    parts.map(async (part, at) => await workers.copy(copyOf(source, targets[at]?.fd ?? -1, part))),
  );
  await workers.end();
  for (const [at, { start, size }] of parts.entries()) {
    const expected = BYTES.subarray(start, start + size);
    assert.deepEqual(results[at], copied(expected));
    assert.ok((await readFile(targets[at]?.file ?? '')).equals(expected));
  }
});

test('returns fewer bytes if the file ends early', async (t) => {
  const { source, target } = await files(t);
  const workers = new CopyWorkers(1);
  const start = BYTES.length - 10;
  assert.deepEqual(
    await workers.copy(copyOf(source, target('t').fd, { start, size: 11 })),
    copied(BYTES.subarray(start)),
  );
  await workers.end();
});

test('ends early when it is aborted, and accepts no more work', async (t) => {
  const { source, target } = await files(t);
  const workers = new CopyWorkers(1);
  workers.abort();
  assert.equal((await workers.copy(copyOf(source, target(`t${(targets += 1)}`).fd))).size, 0);
  await workers.end();
});

test('reports errors of the source with their code, those of the target as errors of the store, and goes on', async (t) => {
  const { source, target } = await files(t);
  const workers = new CopyWorkers(1);
  await assert.rejects(workers.copy(copyOf(target('unreadable').fd, target('nothing').fd)), { code: 'EBADF' });
  await assert.rejects(workers.copy(copyOf(source, source)), {
    code: 'ERR_STORAGE_IO',
    details: { system: 'EBADF' },
    message: /^cannot write a blob/,
  });
  assert.deepEqual(await workers.copy(copyOf(source, target(`t${(targets += 1)}`).fd)), copied(BYTES));
  await workers.end();
});

const FAILING: Readonly<Record<string, string>> = {
  'ends in the middle of its work': "require('node:worker_threads').parentPort.on('message', () => process.exit(3))",
  throws: "require('node:worker_threads').parentPort.on('message', () => { throw new Error('odd'); })",
  'runs out of memory':
    "require('node:worker_threads').parentPort.on('message', () => { const all = []; for (;;) all.push(new Array(1e5).fill(all)); })",
  'never starts': 'this is no script',
};

for (const [what, script] of Object.entries(FAILING)) {
  test(`fails everything with a WorkerFailure if a thread ${what}`, async (t) => {
    const { source, target } = await files(t);
    const module = `import { createRequire } from 'node:module'; const require = createRequire('/'); ${script}`;
    const workers = workersOf(module);
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4].map(async () => await workers.copy(copyOf(source, target(`t${(targets += 1)}`).fd))),
    );
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof WorkerFailure);
    }
    await assert.rejects(workers.copy(copyOf(source, target(`t${(targets += 1)}`).fd)), WorkerFailure);
    await workers.end();
  });
}

test('leaves no thread and no open file', async (t) => {
  const { source, target } = await files(t);
  const opened = [1, 2, 3].map((at) => target(`t${at}`).fd);
  const before = openFds();
  const workers = new CopyWorkers(2);
  await Promise.all(opened.map(async (fd) => await workers.copy(copyOf(source, fd))));
  await workers.end();
  await until(() => openFds() <= before, 'everything is closed');
});
