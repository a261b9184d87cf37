import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommandResult } from '../fixtures/command.js';
import { straceProgram } from './program.js';

/*
 * A process under strace: its system calls in their order, and a signal or an error at one of them. strace counts the
 * calls of each name in each thread, so a point in a run is the name of a call and its number in its thread.
 */

/** Calls that change a file system. `?` marks calls that some architectures lack. */
const CHANGING =
  'openat ?open write ?pwrite64 writev ?pwritev fsync ?fdatasync fchmod ftruncate ?mkdir ?mkdirat ?rename ?renameat ' +
  '?renameat2 ?link ?linkat ?unlink ?unlinkat ?rmdir ?copy_file_range ?sendfile ?symlink ?symlinkat ?chmod ?fchmodat';

/** These, and `close`: its errors must be handled too. */
const HEEDED = `${CHANGING} close`;

/** And what only an unpacking does. */
export const UNPACKING = `${HEEDED} ?mknodat ?fchown ?lchown ?fchownat utimensat fsetxattr lsetxattr`;

/** One system call of a run. */
export interface TracedCall {
  readonly thread: string;
  readonly name: string;
  /** Number among the calls of this name in this thread, from 1. */
  readonly nth: number;
  /** The paths in the call, and those of its open files, in their order. */
  readonly paths: readonly string[];
  /** The rest of its line in the log, with flags and result. */
  readonly text: string;
  /** Whether strace injected its signal or error here. */
  readonly isInjected: boolean;
}

/** A call of a run at which strace injects something. */
export interface Point {
  readonly name: string;
  readonly nth: number;
}

/** What strace injects: a signal, or an error instead of the call. */
export type Injection = `signal=${string}` | `error=${string}`;

/** A run under strace that has ended or was killed. */
export interface TracedRun extends CommandResult {
  readonly calls: readonly TracedCall[];
}

/** Runs a `main.js` under strace, with an injection at one point if given. `log` is a new file. */
export async function runTraced(
  main: string,
  args: readonly string[],
  log: string,
  inject?: { readonly at: Point; readonly what: Injection },
  calls = HEEDED,
): Promise<TracedRun> {
  const result = await straceProgram(main, args, traceArgs(log, inject, calls));
  return { ...result, calls: await readCalls(log) };
}

/** The arguments of strace that make the log that {@link readCalls} reads. `nth` may be a set of numbers of strace. */
export function traceArgs(
  log: string,
  inject?: { readonly at: Pick<Point, 'name'> & { readonly nth: number | string }; readonly what: Injection },
  calls = HEEDED,
): readonly string[] {
  const injection = inject && ['-e', `inject=${inject.at.name}:${inject.what}:when=${inject.at.nth}`];
  // With --seccomp-bpf strace is much faster, but cannot inject signals.
  const isFast = inject?.what.startsWith('signal=') !== true;
  return [
    ...(isFast ? ['--seccomp-bpf'] : []),
    '-o',
    log,
    // A lease has lines for many blobs in one write.
    '-s',
    '4096',
    '-e',
    `trace=${calls.replaceAll(' ', ',')}`,
    ...(injection ?? []),
  ];
}

/** The calls in a log of strace, in the order of their starts. */
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

/** Paths in quotes, and paths of open files in angle brackets. Written data in quotes is left out: it is not a path. */
function pathsIn(text: string): readonly string[] {
  return [...text.matchAll(/"(\/[^"]*)"|<(\/[^>]*)>/g)].map(([, quoted, opened]) => quoted ?? opened ?? '');
}

/** Whether a call is on a store's files. The working directory that strace shows for some calls does not count. */
export function isInStore({ name, paths, text }: TracedCall, store: string): boolean {
  if (name === 'openat' && !text.includes('O_CREAT')) return false;
  return paths.some((file) => file === store || file.startsWith(`${store}${path.sep}`));
}

/**
 * Every call of a run that changes the store's files; with `close`, also those that close them. A point is left out if
 * another thread makes its call of the same name and number first, since it cannot be named then, and so is a
 * `close` if any other thread makes one of its number elsewhere. The calls around it
 * stand for it: one thread makes all of them in turn.
 */
export function pointsOf(calls: readonly TracedCall[], store: string, withClose = false): readonly Point[] {
  // Node.js itself aborts if it cannot close a file of a package that it loads.
  const elsewhere = new Set(
    calls.filter((call) => call.name === 'close' && !isInStore(call, store)).map(({ nth }) => nth),
  );
  const first = new Map<string, TracedCall>();
  for (const call of calls) {
    const key = `${call.name} ${call.nth}`;
    if (!first.has(key)) first.set(key, call);
  }
  return [...first.values()]
    .filter((call) => isInStore(call, store))
    .filter(({ name, nth }) => name !== 'close' || (withClose && !elsewhere.has(nth)))
    .map(({ name, nth }) => ({ name, nth }));
}
