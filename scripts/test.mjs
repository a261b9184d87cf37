import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/*
 * Runs the compiled tests: `node scripts/test.mjs [--all] [FILE...]`. Everything that a run makes is in folders of its own,
 * and every process of it carries their name in its environment. A second process, the keeper, waits for the end of the
 * run, however it comes, and removes what is left: so an interrupted run leaves no process, mount or folder behind.
 */

const { values, positionals } = parseArgs({ options: { all: { type: 'boolean' } }, allowPositionals: true });
const ROOT = path.join(fileURLToPath(import.meta.url), '..', '..');
const TESTS = path.join(ROOT, 'build', 'test');

/** A test that is not over after this time hangs. No test judges seconds, so the limit may be far away. */
const HANG_MS = (values.all ? 60 : 15) * 60 * 1000;

/** Tests mostly wait for processes and disks: a few more at a time than there are processors. */
const AT_ONCE = availableParallelism() + 2;

/** How often it is looked whether the parent, npm for one, is still there. */
const PARENT_MS = 500;

/** Left to `npm run test:all` as a whole; many others take a sample of their cases in `npm test`. */
const ONLY_IN_ALL = [
  // Each case starts other programs: skopeo, umoci, containerd, docker.
  /^interop\/(?!differential|known-differences)/,
  // `npm test` has some of the kill points, the traps and the signals.
  /^faults\/(?:competing|full-volume|io-errors|meetings|mutants|power-cuts)\./,
  // Of work that grows too fast with the entries, test/sweeps/linear-work.test.ts finds out.
  /^sweeps\/(?:huge-entry|many-entries)\./,
];

function testFiles() {
  if (positionals.length > 0) return { files: positionals, left: [] };
  const names = readdirSync(TESTS, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .toSorted();
  const left = values.all ? [] : names.filter((name) => ONLY_IN_ALL.some((pattern) => pattern.test(name)));
  return { files: names.filter((name) => !left.includes(name)).map((name) => path.join(TESTS, name)), left };
}

/** What needs no process of its own, by folder: starting one for each file takes longer than many of them do. */
const GROUPED = /^(?:content|edit|export|flow|inspect|layers|load|model|server|stages|survey|verify)\//;
const GROUP_FILES = 10;

/** `npm test` runs the files of a folder in groups; `npm run test:all` gives each one a process. */
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

/** The folders of this run: one for temporary files, and where the machine can one in memory. Other users may pass. */
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
  // In a session of its own, so that no Ctrl-C reaches it.
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

/** Has everything of the run removed, and ends with the status. What tests leave behind at a regular end is reported. */
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
