import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * `node scripts/test-keeper.mjs FOLDER...`, started by scripts/test.mjs. Its standard input ends with the run, also
 * when the runner is killed. Then it ends every process of the run, unmounts all mounts in the folders, and removes
 * the folders.
 */

const folders = process.argv.slice(2);
const MARK = `LADING_TEST_RUN=${folders[0]}`;

/** Rounds of killing: a killed process may have started another one just before. */
const ROUNDS = 100;

/** The processes of the run: those with its first folder in their environment (proc(5)). */
function processesOfRun() {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      // This also finds a run that a test started: its folders are inside ours.
      return variables.some((text) => text === MARK || text.startsWith(`${MARK}/`));
    } catch {
      return false;
    }
  });
}

async function endProcesses() {
  for (let round = 0; round < ROUNDS; round += 1) {
    const pids = processesOfRun();
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // The process has already ended.
      }
    }
    await delay(20);
  }
}

/** The mount points in the folders. */
function mountsOfRun() {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return mounts.filter((mount) => folders.some((folder) => mount.startsWith(`${folder}/`)));
}

/** Everything that the tests should have removed themselves. */
function leftBehind() {
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name !== 'groups')
      .map((name) => path.join(folder, name)),
  );
  return [...processesOfRun().map((pid) => `process ${pid} (${commandOf(pid)})`), ...mountsOfRun(), ...files];
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return 'gone';
  }
}

let order = '';
for await (const chunk of process.stdin) order += chunk;
if (order === 'report') for (const what of leftBehind()) console.error(`tests: removed what a test left: ${what}`);
await endProcesses();
// The last mount first, since it may be inside an earlier one. Unmounting also frees a loop device.
for (const mount of mountsOfRun().toReversed()) execFileSync('umount', ['-l', mount]);
for (const folder of folders) rmSync(folder, { recursive: true, force: true });
