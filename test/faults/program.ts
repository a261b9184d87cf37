import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { runCommand, type CommandOptions, type CommandResult } from '../fixtures/command.js';

/** Environment of every process under test: not the user's own store, and one thread for file system calls. */
const ENVIRONMENT = { LADING_STORE: undefined, XDG_DATA_HOME: '/nonexistent', UV_THREADPOOL_SIZE: '1' };

/** Runs a `main.js`, the built one or a mutant, to its end. */
export async function runProgram(
  main: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return await runCommand(process.execPath, [main, ...args], { ...options, env: ENVIRONMENT });
}

/** Runs a `main.js` under strace. */
export async function straceProgram(
  main: string,
  args: readonly string[],
  straceArgs: readonly string[],
): Promise<CommandResult> {
  const program = [process.execPath, main, ...args];
  return await runCommand('strace', ['-f', '-qq', '-y', ...straceArgs, '--', ...program], { env: ENVIRONMENT });
}

/** Starts a `main.js` under strace. */
export function startUnderStrace(main: string, args: readonly string[], straceArgs: readonly string[]): Started {
  return start('strace', ['-f', '-qq', '-y', ...straceArgs, '--', process.execPath, main, ...args]);
}

/** Starts a `main.js`. */
export function startProgram(main: string, args: readonly string[]): Started {
  return start(process.execPath, [main, ...args]);
}

function start(file: string, args: readonly string[]): Started {
  // In its own process group, to kill strace and the program together: a stopped program would outlive its strace.
  const child = spawn(file, args, { env: { ...process.env, ...ENVIRONMENT }, detached: true });
  const { pid = 0 } = child;
  const stderr: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const ended = once(child, 'close').then(([status, signal]: (number | string | null)[]) => ({
    status: typeof status === 'number' ? status : null,
    signal: typeof signal === 'string' ? signal : null,
    stderr: Buffer.concat(stderr).toString(),
  }));
  const kill = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null && pid !== 0) process.kill(-pid, signal);
  };
  return { stdin: child.stdin, stdout: child.stdout, ended, kill };
}

/** A started program, with all processes that it has started. */
export interface Started {
  readonly stdin: Writable;
  /** Must be read or resumed, or `ended` never settles. */
  readonly stdout: Readable;
  readonly ended: Promise<Ended>;
  /** Does nothing if the program has ended. */
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** How a started program ended. */
export interface Ended {
  /** Null if a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}
