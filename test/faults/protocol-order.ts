import path from 'node:path';
import type { TracedCall } from './traced-calls.js';

/*
 * The order of calls that a load must keep, so that a power cut between any two of them loses nothing that was
 * promised. It is judged from a trace of the run. So it needs no special volume, and covers what a cut may do on any
 * file system, not only on the one that runs the tests.
 */

/** What a load did in the wrong order, one line for each error; empty if the order is right. */
export function wrongOrder(calls: readonly TracedCall[], store: string): readonly string[] {
  const run = new Run(calls, store);
  return [
    ...run.namings().flatMap(([at, from, to]) => wrongNaming(run, at, from, to)),
    ...run.publications().flatMap((at) => wrongPublication(run, at)),
    ...wrongSuccess(run),
  ];
}

/** A file's bytes are on stable storage before the file gets its name, and do not change later. */
function wrongNaming(run: Run, at: number, from: string, to: string): readonly string[] {
  const written = run.lastBefore(at, (call) => isWrite(call) && call.paths[0] === from);
  const synced = run.lastBefore(at, (call) => isSync(call, from));
  const digest = /^blobs\/(\w+)\/(\w+)$/.exec(run.inside(to));
  const isClaimed = digest === null || run.lastBefore(at, (call) => claims(call, digest)) !== -1;
  return [
    ...(synced > written ? [] : [`${run.inside(to)} has its name before its bytes are durable`]),
    ...(isClaimed ? [] : [`${run.inside(to)} has its name before it is claimed`]),
  ];
}

/** All names in `blobs/` are on stable storage before a list of images is published. */
function wrongPublication(run: Run, at: number): readonly string[] {
  return run
    .newNames(at, 'blobs')
    .filter(([named, folder]) => !run.isSyncedBetween(folder, named, at))
    .map(
      ([, folder, name]) => `the images are published before ${run.inside(name)} is durable in ${run.inside(folder)}`,
    );
}

/** All new names of the store, also that of the list, are on stable storage before the load prints success. */
function wrongSuccess(run: Run): readonly string[] {
  const at = run.success();
  if (at === -1) return ['success was never printed'];
  return run
    .newNames(at, '')
    .filter(([named, folder]) => !run.isSyncedBetween(folder, named, at))
    .map(([, , name]) => `success is printed before ${run.inside(name)} is durable`);
}

/** A trace, and questions about the order of its calls. */
class Run {
  readonly #calls: readonly TracedCall[];
  readonly #store: string;

  constructor(calls: readonly TracedCall[], store: string) {
    this.#calls = calls.filter(({ text }) => !/ = -1 E/.test(text));
    this.#store = store;
  }

  /** The calls that give files their final names: `[index of the call, from, to]`. */
  namings(): readonly (readonly [number, string, string])[] {
    return this.#calls.flatMap(({ name, paths: [from = '', to = ''] }, at) =>
      /^(?:link|rename)/.test(name) && this.#isLasting(to) ? [[at, from, to] as const] : [],
    );
  }

  publications(): readonly number[] {
    return this.namings()
      .filter(([, , to]) => this.inside(path.dirname(to)) === '.lading/refs')
      .map(([at]) => at);
  }

  /** New files and folders below `under`, before the call `before`: `[index of the call, folder, name]`. */
  newNames(before: number, under: string): readonly (readonly [number, string, string])[] {
    const folders = this.#calls.flatMap(({ name, paths: [made = ''] }, at) =>
      name.startsWith('mkdir') && this.#isLasting(made) ? [[at, path.dirname(made), made] as const] : [],
    );
    const files = this.namings().map(([at, , to]) => [at, path.dirname(to), to] as const);
    return [...folders, ...files].filter(([at, , name]) => at < before && this.inside(name).startsWith(under));
  }

  isSyncedBetween(file: string, after: number, before: number): boolean {
    return this.#calls.slice(after, before).some((call) => isSync(call, file));
  }

  lastBefore(at: number, is: (call: TracedCall) => boolean): number {
    return this.#calls.slice(0, at).findLastIndex(is);
  }

  /** The index of the call that prints success to stdout, the names that moved first; -1 if there is none. */
  success(): number {
    return this.#calls.findIndex(
      (call) => isWrite(call) && /^1<[^>]*>, (?:\[\{iov_base=)?"(?:Moved name|Loaded image)/.test(call.text),
    );
  }

  inside(file: string): string {
    return path.relative(this.#store, file);
  }

  /** False for files in the trash or in `ingest/`: nothing relies on their names after a power cut. */
  #isLasting(file: string): boolean {
    return file.startsWith(this.#store) && !/^\.lading\/(?:trash|ingest)\//.test(this.inside(file));
  }
}

function isWrite({ name }: TracedCall): boolean {
  return /^p?writev?(?:64)?$/.test(name);
}

function isSync({ name, paths }: TracedCall, file: string): boolean {
  return (name === 'fsync' || name === 'fdatasync') && paths[0] === file;
}

/** Whether a call writes the lease's line for a blob. One write may have many lines. */
function claims(call: TracedCall, [, algorithm, encoded]: RegExpExecArray): boolean {
  const isLease = /\/\.lading\/leases\/[^/]+$/.test(call.paths[0] ?? '');
  return isWrite(call) && isLease && call.text.includes(`${algorithm}:${encoded}`);
}
