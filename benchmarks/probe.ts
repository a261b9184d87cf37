import { readFileSync, writeFileSync } from 'node:fs';

/** What a Node process reports of itself when it ends. Sizes are in bytes. */
export interface ProbeReport {
  readonly peakRssBytes: number;
  /** Everything passed to `write` and similar calls: to files and pipes, also what was removed again. */
  readonly writtenBytes: number;
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
}

/** The environment variable with the file to write the report to. */
export const PROBE_VARIABLE = 'LADING_BENCH_PROBE';

// Loaded with `node --import`. Linux only: VmHWM of proc(5), unlike ru_maxrss, starts at 0 with each exec.
const file = process.env[PROBE_VARIABLE];
if (file !== undefined) process.on('exit', () => writeFileSync(file, JSON.stringify(readReport())));

function readReport(): ProbeReport {
  const { user, system } = process.cpuUsage();
  return {
    peakRssBytes: numberIn('/proc/self/status', /^VmHWM:\s+(\d+) kB$/m) * 1024,
    writtenBytes: numberIn('/proc/self/io', /^wchar: (\d+)$/m),
    cpuSeconds: (user + system) / 1e6,
  };
}

function numberIn(path: string, pattern: RegExp): number {
  return Number(pattern.exec(readFileSync(path, 'utf8'))?.[1]);
}
