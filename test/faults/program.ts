import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { runCommand, type CommandOptions, type CommandResult } from '../fixtures/command.js';

/** Variables of every process under test: no store of the machine's own, and one thread for its file system calls. */
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
  // A group of its own: a program that stands still does not end with the strace above it.
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

/** A program that was started, and everything it has started. */
export interface Started {
  readonly stdin: Writable;
  /** Has to be read, or resumed: the end of the program waits for that. */
  readonly stdout: Readable;
  readonly ended: Promise<Ended>;
  /** Does nothing when it has ended. */
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** How a started program ended. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}
