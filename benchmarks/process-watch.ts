import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** A watch over a process and its descendants that goes on until it is stopped. */
export interface ProcessWatch {
  /** The largest peak resident memory of one of them, in bytes, without shells; undefined if none was seen. */
  stop(): Promise<number | undefined>;
}

const INTERVAL_MS = 50;

/** Looks at processes again and again. Does not see what a process takes after the last look. */
export function watchProcesses(root: number): ProcessWatch {
  const end = new AbortController();
  const watch = async (): Promise<number | undefined> => {
    let peak = 0;
    while (!end.signal.aborted) {
      peak = Math.max(peak, ...treeOf(root).map((pid) => (isShell(pid) ? 0 : peakBytesOf(pid))));
      await setTimeout(INTERVAL_MS);
    }
    return peak === 0 ? undefined : peak;
  };
  const peak = watch();
  return {
    stop: () => {
      end.abort();
      return peak;
    },
  };
}

/** Peak resident memory in bytes (proc(5), VmHWM); 0 for a process that is gone. */
export function peakBytesOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(proc(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** User and system time so far in milliseconds: fields 14 and 15 of /proc/PID/stat, in hundredths of a second. */
export function cpuMsOf(pid: number): number {
  const stat = proc(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function treeOf(pid: number): readonly number[] {
  const children = proc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(treeOf)];
}

function isShell(pid: number): boolean {
  return proc(pid, 'comm').trim() === 'bash';
}

/** Empty if the process has ended, which may happen at any time. */
function proc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
