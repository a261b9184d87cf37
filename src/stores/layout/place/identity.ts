import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

/**
 * A process. Start time and boot distinguish it from a later one with the same PID, the PID namespace from one in
 * another container. A field is empty if the system does not provide it.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly host: string;
}

// The only file of the store that asks for this process and its user: a lease has a process, a store has an owner.

/** This process. */
export function thisProcess(): ProcessIdentity {
  const { pid } = globalThis.process;
  return { pid, startTime: startTimeOf(pid), bootId: bootId(), pidNamespace: pidNamespace(), host: os.hostname() };
}

/** The user id that new files of this process get; undefined on systems without user ids. */
export function effectiveUser(): number | undefined {
  return globalThis.process.geteuid?.();
}

/** Whether a process is running. `unknown`: it is on another host, in another container, or cannot be looked up. */
export function stateOfProcess(owner: ProcessIdentity): 'alive' | 'over' | 'unknown' {
  if (owner.host !== os.hostname()) return 'unknown';
  const boot = bootId();
  // Some sandboxes hide /proc: a process that we cannot see may still be running.
  if (boot === '' || !owner.bootId || !owner.startTime) return 'unknown';
  if (owner.bootId !== boot) return 'over';
  if (owner.pidNamespace !== pidNamespace()) return 'unknown';
  return startTimeOf(owner.pid) === owner.startTime ? 'alive' : 'over';
}

function bootId(): string {
  return readOrNothing('/proc/sys/kernel/random/boot_id').trim();
}

/** Field 22 of /proc/PID/stat (proc(5)). Counts from the end of the command name, which may contain spaces and `)`. */
function startTimeOf(pid: number): string {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
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
