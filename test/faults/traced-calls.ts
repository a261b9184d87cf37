import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommandResult } from '../fixtures/command.js';
import { straceProgram } from './program.js';

/*
 * A process under strace: which system calls it made, in which order, and what is to happen at one of them. strace counts the
 * calls of each name in each thread for itself, so that a place in a run is a call's name and its number in its thread.
 */

/** Calls that change a file system; `?` since not every architecture has all of them. */
const CHANGING =
  'openat ?open write ?pwrite64 writev ?pwritev fsync ?fdatasync fchmod ftruncate ?mkdir ?mkdirat ?rename ?renameat ' +
  '?renameat2 ?link ?linkat ?unlink ?unlinkat ?rmdir ?copy_file_range ?sendfile ?symlink ?symlinkat ?chmod ?fchmodat';

/** Calls that may fail and must be heeded, beside those that change something. */
const HEEDED = `${CHANGING} close`;

/** One system call of a run. */
export interface TracedCall {
  readonly thread: string;
  readonly name: string;
  /** The how-manieth of this name in this thread, from 1. */
  readonly nth: number;
  /** The paths that the call names or whose files it uses, first to last. */
  readonly paths: readonly string[];
  /** Its line in the log, for flags and results. */
  readonly text: string;
  /** Whether strace did here what it was told to do. */
  readonly isInjected: boolean;
}

/** A place in a run at which something is made to happen. */
export interface Point {
  readonly name: string;
  readonly nth: number;
}

/** What happens at the point: a signal, or an error instead of the call. */
export type Injection = `signal=${string}` | `error=${string}`;

/** A run under strace, to its end or until it was killed. */
export interface TracedRun extends CommandResult {
  readonly calls: readonly TracedCall[];
}

/** Runs a `main.js` under strace, which does something at one point of it. `log` is a new file. */
export async function runTraced(
  main: string,
  args: readonly string[],
  log: string,
  inject?: { readonly at: Point; readonly what: Injection },
): Promise<TracedRun> {
  const result = await straceProgram(main, args, traceArgs(log, inject));
  return { ...result, calls: await readCalls(log) };
}

/** The arguments with which strace traces what {@link readCalls} reads. */
export function traceArgs(log: string, inject?: { readonly at: Point; readonly what: Injection }): readonly string[] {
  const injection = inject && ['-e', `inject=${inject.at.name}:${inject.what}:when=${inject.at.nth}`];
  // With --seccomp-bpf strace is much faster, and sends no signals.
  const isFast = inject?.what.startsWith('signal=') !== true;
  return [
    ...(isFast ? ['--seccomp-bpf'] : []),
    '-o',
    log,
    // A lease has lines for many blobs in one write.
    '-s',
    '4096',
    '-e',
    `trace=${HEEDED.replaceAll(' ', ',')}`,
    ...(injection ?? []),
  ];
}

/** The calls in a log of strace, in the order in which they began. */
export async function readCalls(log: string): Promise<readonly TracedCall[]> {
  const counts = new Map<string, number>();
  return (await readFile(log, 'utf8')).split('\n').flatMap((line) => {
    const [, thread = '', name = '', text = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? [];
    if (name === '') return [];
    const key = `${thread} ${name}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    return [{ thread, name, nth, paths: pathsIn(text), text, isInjected: text.includes('(INJECTED') }];
  });
}

/** Paths between quotes and, of open files, between angle brackets; written data is in quotes too, but is no path. */
function pathsIn(text: string): readonly string[] {
  return [...text.matchAll(/"(\/[^"]*)"|<(\/[^>]*)>/g)].map(([, quoted, opened]) => quoted ?? opened ?? '');
}

/** Whether a call is on a store's files. The folder that it was started in is no such file. */
export function isInStore({ name, paths, text }: TracedCall, store: string): boolean {
  if (name === 'openat' && !text.includes('O_CREAT')) return false;
  return paths.some((file) => file === store || file.startsWith(`${store}${path.sep}`));
}

/**
 * Every point of a run at which the store's files change (with `close`, also where they may tell that they did not). Where
 * another thread makes its call of the same name and number first, a point cannot be named, and is left out; the calls
 * around it stand for it, since one thread makes all of them in turn.
 */
export function pointsOf(calls: readonly TracedCall[], store: string, withClose = false): readonly Point[] {
  const first = new Map<string, TracedCall>();
  for (const call of calls) {
    const key = `${call.name} ${call.nth}`;
    if (!first.has(key)) first.set(key, call);
  }
  return [...first.values()]
    .filter((call) => isInStore(call, store) && (call.name !== 'close' || withClose))
    .map(({ name, nth }) => ({ name, nth }));
}
