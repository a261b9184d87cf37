import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { runCommand, type CommandOptions, type CommandResult } from '../fixtures/command.js';

/** Environment of every process under test: not the user's own store, and one thread for file system calls. */
const ENVIRONMENT = { LADING_STORE: undefined, XDG_DATA_HOME: '/nonexistent', UV_THREADPOOL_SIZE: '1' };

/*
 * The arguments of a `main.js` may have `'<', FILE` in them, as in a shell: then the file comes through a pipe. What
 * Node.js gives a child process as stdin is a socket.
 */

/** Runs a `main.js`, the built one or a mutant, to its end. */
export async function runProgram(
  main: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [file, ...rest] = programOf([], main, args);
  return await runCommand(file, rest, { ...options, env: ENVIRONMENT });
}

/** Runs a `main.js` under strace. */
export async function straceProgram(
  main: string,
  args: readonly string[],
  straceArgs: readonly string[],
): Promise<CommandResult> {
  const [file, ...rest] = programOf(straced(straceArgs), main, args);
  return await runCommand(file, rest, { env: ENVIRONMENT });
}

/** Starts a `main.js` under strace. */
export function startUnderStrace(main: string, args: readonly string[], straceArgs: readonly string[]): Started {
  return start(programOf(straced(straceArgs), main, args));
}

/** Starts a `main.js`. */
export function startProgram(main: string, args: readonly string[]): Started {
  return start(programOf([], main, args));
}

/** Starts a `main.js` whose stdout is a pipe into the shell command `reader`. Its own exit status is what counts. */
export function startInto(
  reader: string,
  main: string,
  args: readonly string[],
  straceArgs?: readonly string[],
): Started {
  const program = programOf(straceArgs === undefined ? [] : straced(straceArgs), main, args);
  return start(['bash', '-c', `exec "$@" > >({ ${reader}; } <&0 &)`, 'bash', ...program]);
}

function straced(args: readonly string[]): readonly string[] {
  return ['strace', '-f', '-qq', '-y', ...args, '--'];
}

/*
 * The other end of a pipe runs in the background of its shell, which ends. It would be a child of the program, which the
 * shell becomes, and strace waits for all of its children, with the pipe open.
 */

/** The program and its arguments. Its process is that of the program, also if a shell makes the pipe. */
function programOf(before: readonly string[], main: string, args: readonly string[]): readonly [string, ...string[]] {
  const at = args.indexOf('<');
  const program = [
    ...before,
    process.execPath,
    main,
    ...args.filter((_, n) => at < 0 || n < at || n > at + 1),
  ] as const;
  const piped = args[at + 1];
  if (at < 0 || piped === undefined) return program as readonly [string, ...string[]];
  return ['bash', '-c', 'exec "$@" < <(cat "$0" 2>&- &)', piped, ...program];
}

function start([file, ...args]: readonly [string, ...string[]]): Started {
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
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return { pid, stdin: child.stdin, stdout: child.stdout, ended, hasExited, kill };
}

/** A started program, with all processes that it has started. */
export interface Started {
  readonly pid: number;
  readonly stdin: Writable;
  /** Must be read or resumed, or `ended` never settles. */
  readonly stdout: Readable;
  readonly ended: Promise<Ended>;
  /** Whether the program itself has ended. Processes that it has started may go on. */
  readonly hasExited: () => boolean;
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
