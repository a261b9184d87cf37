import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

/**
 * A process, told from a later one of the same number by its start time and boot, and from one in another container by its
 * PID namespace. Empty where the system does not say.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly host: string;
}

// The one file on this floor that asks who we are: leases are about processes, a store belongs to a user.

/** This process. */
export function thisProcess(): ProcessIdentity {
  const { pid } = globalThis.process;
  return { pid, startTime: startTimeOf(pid), bootId: bootId(), pidNamespace: pidNamespace(), host: os.hostname() };
}

/** The user whose files this process makes; undefined on systems without such users. */
export function effectiveUser(): number | undefined {
  return globalThis.process.geteuid?.();
}

/** Whether a process lives. `unknown`: it is on another host or in another container, or nobody can tell. */
export function stateOfProcess(owner: ProcessIdentity): 'alive' | 'over' | 'unknown' {
  if (owner.host !== os.hostname()) return 'unknown';
  const boot = bootId();
  // Some sandboxes hide /proc: who cannot be asked for is not therefore dead.
  if (boot === '' || !owner.bootId || !owner.startTime) return 'unknown';
  if (owner.bootId !== boot) return 'over';
  if (owner.pidNamespace !== pidNamespace()) return 'unknown';
  return startTimeOf(owner.pid) === owner.startTime ? 'alive' : 'over';
}

function bootId(): string {
  return readOrNothing('/proc/sys/kernel/random/boot_id').trim();
}

/** Field 22 of /proc/PID/stat (proc(5)), behind the command name, which may hold spaces and parentheses. */
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
