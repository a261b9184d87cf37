import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/*
 * Runs the compiled tests: `node scripts/test.mjs [--all] [FILE...]`. A run writes only to its own folders, and all its
 * processes have the names of these folders in their environment. A second process, the keeper, waits until the run
 * ends or is killed, and removes what is left. So an interrupted run leaves no process, mount or folder behind.
 */

const { values, positionals } = parseArgs({ options: { all: { type: 'boolean' } }, allowPositionals: true });
const ROOT = path.join(fileURLToPath(import.meta.url), '..', '..');
const TESTS = path.join(ROOT, 'build', 'test');

/** A test that has not ended after this time hangs. No test judges seconds, so the limit can be generous. */
const HANG_MS = (values.all ? 60 : 15) * 60 * 1000;

/** Test files at a time: a few more than processors, since tests mostly wait for processes and disks. */
const AT_ONCE = availableParallelism() + 2;

/** Milliseconds between two checks whether the parent, for example npm, still runs. */
const PARENT_MS = 500;

/** Files that only `npm run test:all` runs. Many others run only a sample of their cases in `npm test`. */
const ONLY_IN_ALL = [
  // Each case starts other programs: skopeo, umoci, containerd, docker.
  /^interop\/(?!differential|known-differences)/,
  // `npm test` runs some kill points, traps and signals from other files.
  /^faults\/(?:competing|full-volume|io-errors|meetings|mutants|power-cuts)\./,
  // Each runs the tests of trust for a program with one fault.
  /^trust\/mutants\./,
  // test/sweeps/linear-work.test.ts finds work that grows too fast with the number of entries.
  /^sweeps\/(?:huge-entry|many-entries|unpack-names)\./,
];

function testFiles() {
  if (positionals.length > 0) return { files: positionals, left: [] };
  const names = readdirSync(TESTS, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .toSorted((a, b) => (a < b ? -1 : 1));
  const left = values.all ? [] : names.filter((name) => ONLY_IN_ALL.some((pattern) => pattern.test(name)));
  return { files: names.filter((name) => !left.includes(name)).map((name) => path.join(TESTS, name)), left };
}

/** Folders whose files can share a process: starting a process takes longer than many of these files. */
const GROUPED = /^(?:content|edit|export|flow|inspect|layers|load|model|server|stages|survey|verify)\//;
const GROUP_FILES = 10;

/** `npm test` runs the files of a folder in groups; `npm run test:all` runs each file in its own process. */
function grouped(files, folder) {
  if (values.all || positionals.length > 0) return files;
  const names = files.map((file) => path.relative(TESTS, file));
  const folders = new Set(names.filter((name) => GROUPED.test(name)).map((name) => path.dirname(name)));
  const groups = [...folders].flatMap((name) => {
    const members = files.filter((file) => path.dirname(path.relative(TESTS, file)) === name);
    return groupsOf(name, members, folder);
  });
  return [...groups, ...files.filter((_, at) => !GROUPED.test(names[at]))];
}

function groupsOf(name, files, folder) {
  const count = Math.ceil(files.length / GROUP_FILES);
  return Array.from({ length: count }, (_, at) => {
    const group = path.join(folder, `group-${name}-${at}.test.mjs`);
    const members = files.filter((__, n) => n % count === at);
    writeFileSync(group, members.map((file) => `import ${JSON.stringify(pathToFileURL(file))};\n`).join(''));
    return group;
  });
}

/** The folders of this run: one for temporary files, and one in memory if possible. Other users may enter them. */
function runFolders() {
  const folder = mkdtempSync(path.join(tmpdir(), 'lading-run-'));
  chmodSync(folder, 0o711);
  if (!existsSync('/dev/shm')) return [folder];
  const inMemory = path.join('/dev/shm', path.basename(folder));
  mkdirSync(inMemory, { recursive: true });
  return [folder, inMemory];
}

const { files, left } = testFiles();
if (files.length === 0) throw new Error(`no compiled tests in ${TESTS}: npm run build:test`);
const [folder, inMemory] = runFolders();
const groups = mkdirSync(path.join(folder, 'groups'), { recursive: true });

const keeper = spawn(
  process.execPath,
  [path.join(ROOT, 'scripts', 'test-keeper.mjs'), folder, ...(inMemory === undefined ? [] : [inMemory])],
  // In its own session, so that Ctrl-C does not reach it.
  { detached: true, stdio: ['pipe', 'inherit', 'inherit'] },
);
const kept = once(keeper, 'close');

const tests = spawn(
  process.execPath,
  [
    `--import=${path.join(ROOT, 'scripts', 'fail-on-warning.mjs')}`,
    '--test',
    `--test-timeout=${HANG_MS}`,
    `--test-concurrency=${AT_ONCE}`,
    '--test-reporter=spec',
    ...grouped(files, groups),
  ],
  {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      TMPDIR: folder,
      LADING_TEST_RUN: folder,
      ...(inMemory !== undefined && { LADING_TEST_MEMORY: inMemory }),
      ...(values.all && { LADING_TESTS: 'all' }),
    },
  },
);

/** Lets the keeper remove what is left, and exits with the status. After a regular end, lists what was left. */
async function end(status, { isRegular = false } = {}) {
  keeper.stdin.end(isRegular ? 'report' : '');
  await kept;
  process.exit(status);
}

let isInterrupted = false;

function interrupt(signal) {
  isInterrupted = true;
  console.error(`tests: ended by ${signal}`);
  void end(128 + constants.signals[signal]);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => interrupt(signal));
const parent = process.ppid;
setInterval(() => process.ppid === parent || interrupt('SIGHUP'), PARENT_MS).unref();

const [status] = await once(tests, 'close');
if (left.length > 0 && !isInterrupted) {
  console.log(`Left to "npm run test:all", beside cases of other files that take long: ${left.join(', ')}`);
}
await end(status ?? 1, { isRegular: true });
