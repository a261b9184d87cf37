import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { watchFolder, type FolderGrowth } from './folder-size.js';
import { PROBE_VARIABLE, type ProbeReport } from './probe.js';
import { cpuMsOf, peakBytesOf, watchProcesses } from './process-watch.js';

/** What one run of a command line took. */
export interface Sample {
  readonly wallMs: number;
  /** User and system time of every process of the command line, and of its daemon. */
  readonly cpuMs: number;
  /** Peak resident memory of the largest process: from the probe, else from the daemon, else from the watch. */
  readonly peakRssBytes?: number;
  /** The report of the one process that loads the probe, if any does. */
  readonly probed?: ProbeReport;
  /** The sizes of the watched folder. */
  readonly folder?: FolderGrowth;
}

/** What to watch beside the command line. */
export interface Watched {
  readonly folder?: string;
  /** The id of a daemon that does the work, or some of it, for the command line. */
  readonly daemon?: number;
}

/** Runs a command line in bash to its end and measures it. If it fails, throws an error with its stderr. */
export async function measure(command: string, { folder, daemon }: Watched = {}): Promise<Sample> {
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'lading-measure-'));
  const watch = folder === undefined ? undefined : watchFolder(folder);
  const before = daemon === undefined ? 0 : cpuMsOf(daemon);
  try {
    const seen = await runTimed(command, scratch);
    const growth = await watch?.stop();
    const { probed, wallMs, cpuMs } = await readResults(scratch);
    const spent = daemon === undefined ? 0 : cpuMsOf(daemon) - before;
    const peak = probed?.peakRssBytes ?? (daemon === undefined ? seen : peakBytesOf(daemon));
    return {
      wallMs,
      cpuMs: cpuMs + spent,
      ...(peak !== undefined && { peakRssBytes: peak }),
      ...(probed && { probed }),
      ...(growth && { folder: growth }),
    };
  } finally {
    await watch?.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A command line of these words, each quoted as one argument. */
export function quoted(...words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}

/** Returns the peak memory. bash's own `time` counts every process of a pipeline, and needs no `/usr/bin/time`. */
async function runTimed(command: string, scratch: string): Promise<number | undefined> {
  const script = `set -o pipefail; TIMEFORMAT='%3R %3U %3S'; { time { ${command}; } 2>&3; } 3>&2 2>"$TIMES"`;
  const files = { TIMES: path.join(scratch, 'times'), [PROBE_VARIABLE]: path.join(scratch, 'probe') };
  const env = { ...process.env, ...files, LC_ALL: 'C' };
  const child = spawn('bash', ['-c', script], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const watch = child.pid === undefined ? undefined : watchProcesses(child.pid);
  try {
    const [complaint, [status]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<unknown[]>]);
    if (status !== 0) throw new Error(`${command}: ended with ${String(status)}: ${complaint.trim()}`);
  } finally {
    await watch?.stop();
  }
  return await watch?.stop();
}

async function readResults(scratch: string): Promise<Sample> {
  const times = (await readFile(path.join(scratch, 'times'), 'utf8')).trim().split(' ');
  const [wall = 0, user = 0, system = 0] = times.map((seconds) => Number(seconds) * 1000);
  const probed = await readProbe(path.join(scratch, 'probe'));
  return { wallMs: wall, cpuMs: user + system, ...(probed && { probed }) };
}

async function readProbe(file: string): Promise<ProbeReport | undefined> {
  try {
    // Our own probe wrote this.
    return JSON.parse(await readFile(file, 'utf8')) as ProbeReport;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
