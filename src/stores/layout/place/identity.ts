import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

/**
 * A process. Start time and boot distinguish it from a later one with the same PID, the PID namespace from one in
 * another container. The start time reads differently in another time namespace. A field is empty if the system does
 * not provide it.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly timeNamespace: string;
  readonly host: string;
}

// The only file of the store that asks for this process and its user: a lease has a process, a store has an owner.

/** This process. */
export function thisProcess(): ProcessIdentity {
  const { pid } = globalThis.process;
  return {
    pid,
    startTime: (isOurProc() && startTimeOf(pid)) || '',
    bootId: bootId(),
    pidNamespace: namespaceOf('pid'),
    timeNamespace: namespaceOf('time'),
    host: os.hostname(),
  };
}

/** The user id that new files of this process get; undefined on systems without user ids. */
export function effectiveUser(): number | undefined {
  return globalThis.process.geteuid?.();
}

/**
 * Whether a process is running. `unknown`: it is on another host, in another container, or cannot be looked up. What
 * cannot be compared never counts as over.
 */
export function stateOfProcess(owner: ProcessIdentity): 'alive' | 'over' | 'unknown' {
  if (owner.host !== os.hostname()) return 'unknown';
  const boot = bootId();
  // Some sandboxes hide /proc: a process that we cannot see may still be running.
  if (boot === '' || !owner.bootId || !owner.startTime) return 'unknown';
  if (owner.bootId !== boot) return 'over';
  if (!isSameNamespace(owner) || !isOurProc()) return 'unknown';
  const startTime = startTimeOf(owner.pid);
  if (startTime === undefined) return isGone(owner.pid) ? 'over' : 'unknown';
  return startTime === owner.startTime ? 'alive' : 'over';
}

/** A kernel without time namespaces (before Linux 5.6) has one time for all. */
function isSameNamespace({ pidNamespace, timeNamespace }: ProcessIdentity): boolean {
  const pid = namespaceOf('pid');
  return pid !== '' && pidNamespace === pid && timeNamespace === namespaceOf('time');
}

/** Whether /proc numbers processes as we do. In a new PID namespace it may still be that of the old one. */
function isOurProc(): boolean {
  return linkOrNothing('/proc/self') === String(globalThis.process.pid);
}

/** Whether no process has this number. /proc may hide those of others (hidepid). */
function isGone(pid: number): boolean {
  try {
    globalThis.process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function bootId(): string {
  return readOrNothing('/proc/sys/kernel/random/boot_id').trim();
}

/**
 * Field 22 of /proc/PID/stat (proc(5)); undefined if it cannot be read. Counts from the end of the command name, which
 * may contain spaces and `)`.
 */
function startTimeOf(pid: number): string | undefined {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function namespaceOf(kind: 'pid' | 'time'): string {
  return linkOrNothing(`/proc/self/ns/${kind}`);
}

function linkOrNothing(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
