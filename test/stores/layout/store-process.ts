import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The commands of the program in `store-child.ts`. */
export type ChildCommand = 'modes' | 'hang' | 'load' | 'open' | 'prune' | 'collectUntil' | 'reload';

const PROGRAM = fileURLToPath(new URL('./store-child.js', import.meta.url));

/** Starts the program; `within` is a command that runs another one, with its arguments. */
export function startChild(directory: string, command: ChildCommand, argument: string, within: readonly string[] = []) {
  const [file, ...args] = [...within, process.execPath, PROGRAM, directory, command, argument];
  return spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs the program to its end. Fails the test, with the program's errors, unless it exits with 0. */
export async function runChild(
  directory: string,
  command: ChildCommand,
  argument: string,
  within: readonly string[] = [],
): Promise<void> {
  const child = startChild(directory, command, argument, within);
  child.stdout.resume();
  const [errors, [status]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
  assert.equal(status, 0, `${command} ${argument}\n${errors}`);
}

/** Starts the program, waits until it prints that it is ready, and kills it with SIGKILL. */
export async function killChild(directory: string, command: ChildCommand, argument: string): Promise<void> {
  const child = startChild(directory, command, argument);
  child.stderr.pipe(process.stderr);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
}

/** Runs the program, and kills it at the n-th call of a system call. Returns whether there was an n-th call. */
export async function killAtCall(
  directory: string,
  command: ChildCommand,
  { call, n }: { readonly call: string; readonly n: number },
): Promise<boolean> {
  const inject = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${call}`,
    '-e',
    `inject=${call}:signal=SIGKILL:when=${n}`,
  ];
  const child = spawn('strace', [...inject, process.execPath, PROGRAM, directory, command, ''], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // One thread for file calls, so that their order is always the same.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
  });
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.ok(status === 0 || signal === 'SIGKILL' || status === 137, `${command}: ${status ?? signal}`);
  return status !== 0;
}
