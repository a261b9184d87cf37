import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { isInsideEntry } from '../fixtures/cut-archive.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { readReferenceTar, type SeenEntry } from '../fuzz/reference-tar.js';
import { faultFolder } from './form.js';
import { runProgram, startInto, type Ended, type Started } from './program.js';
import { judge } from './store-oracle.js';
import { readCalls, traceArgs, type Injection, type TracedCall } from './traced-calls.js';

/*
 * Saves of a large image into a pipe, which threads write with native calls. Whatever happens, what comes out of the
 * pipe is the whole archive, with status 0, or it ends inside an entry.
 */

/** A store with an image that is large enough for the threads, and its archive. */
export interface SaveScene {
  readonly folder: string;
  readonly store: string;
  readonly whole: Buffer;
  readonly entries: readonly SeenEntry[];
}

/** Layers of three sizes: small ones are packed, larger ones spliced and hashed beside. */
const SIZES = [2000, 300_000, 6_000_000] as const;

/** Builds the scene with the built program. */
export async function buildSaveScene(t: TestContext): Promise<SaveScene> {
  const folder = await faultFolder(t);
  const [store, archive, saved] = ['store', 'archive.tar', 'whole.tar'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const [at, layerBytes] of SIZES.entries()) {
    const { images, blobs } = example({ seed: `save-${at}`, layers: 2, layerBytes, compression: 'none' });
    const named = images.map((image) => ({ ...image, name: `docker.io/example/app:${at}`, refName: `${at}` }));
    await writeFile(archive, await layoutArchive(named, blobs));
    await succeed(['load', '-i', archive, '--store', store]);
  }
  await succeed([...SAVE, '-o', saved, '--store', store]);
  const whole = await readFile(saved);
  return { folder, store, whole, entries: readReferenceTar(whole) };
}

const SAVE = ['save', ...SIZES.keys()].map((name) =>
  typeof name === 'number' ? `${FAMILIAR.slice(0, -1)}${name}` : name,
);

async function succeed(args: readonly string[]): Promise<void> {
  const { status, stderr } = await runProgram(LADING, args);
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
}

/** A save under way. `$OUT` in the reader is the file `out`. */
export interface RunningSave extends Started {
  readonly out: string;
  /** The archive that came out, and how the save ended. */
  readonly result: () => Promise<SaveResult>;
}

/** The end of a save. */
export interface SaveResult extends Ended {
  readonly archive: Buffer;
}

let saves = 0;

/** Starts a save into a shell command that reads the archive. `$$` in it is the save's process. */
export function startSave({ folder, store }: SaveScene, reader: string, straceArgs?: readonly string[]): RunningSave {
  const out = path.join(folder, `out-${(saves += 1)}.tar`);
  const started = startInto(`OUT='${out}'; ${reader}`, LADING, [...SAVE, '--store', store], straceArgs);
  started.stdout.resume();
  // Ended: also the reader has closed stderr.
  const result = async (): Promise<SaveResult> => {
    const ended = await started.ended;
    const archive = await readFile(out).catch(() => Buffer.alloc(0));
    await rm(out, { force: true });
    return { ...ended, archive };
  };
  return { ...started, out, result };
}

/** What is wrong with the end of a save. `statuses`: those allowed if the archive is not whole. */
export function wrongSave(
  { whole, entries }: SaveScene,
  { archive, status, signal, stderr }: SaveResult,
  statuses: readonly (number | string)[],
): readonly string[] {
  if (status === 0) return archive.equals(whole) ? [] : ['status 0, and the archive is not whole'];
  const end = status ?? signal ?? '';
  return [
    ...(statuses.includes(end) ? [] : [`ended with ${end}: ${stderr}`]),
    ...(isInsideEntry(archive.length, entries) || archive.equals(whole)
      ? []
      : [`the archive ends at ${archive.length}, between two entries`]),
    ...(whole.subarray(0, archive.length).equals(archive) ? [] : ['bytes of the archive are wrong']),
  ];
}

/** What a save has left in its store, or changed there. A killed one leaves its lease. */
export async function wrongStore({ store }: SaveScene, isKilled = false): Promise<readonly string[]> {
  const { problems, missing, unneeded, seen } = await judge(store);
  return [
    ...[problems, missing, unneeded, seen.ingest].flat(),
    ...(isKilled ? [] : seen.leases.map((name) => `leases/${name} is left`)),
  ];
}

/** A copy of the scene whose store may be damaged. */
export async function copyOfScene(scene: SaveScene, name: string): Promise<SaveScene> {
  const folder = path.join(scene.folder, name);
  await mkdir(folder);
  const store = path.join(folder, 'store');
  await cp(scene.store, store, { recursive: true, preserveTimestamps: true });
  return { ...scene, folder, store };
}

/** Changes one byte of a blob on disk. */
export async function damageBlob({ store }: SaveScene, digest: string, at: number): Promise<void> {
  const file = path.join(store, 'blobs', digest.replace(':', '/'));
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(`${file}.new`, bytes);
  await copyFile(`${file}.new`, file);
  await rm(`${file}.new`);
}

/** The calls by which a save reads blobs and writes its pipe. */
const SAVE_CALLS = 'openat read pread64 splice write poll fcntl close';

/** Every call of a save on its blobs and its pipe. */
export async function callsOfSave(scene: SaveScene): Promise<readonly TracedCall[]> {
  const log = path.join(scene.folder, 'log');
  const { result } = startSave(scene, 'exec cat >"$OUT"', traceArgs(log, undefined, SAVE_CALLS));
  const { status, stderr } = await result();
  if (status !== 0) throw new Error(stderr);
  const calls = await readCalls(log);
  return calls.filter(isOnSave);
}

/** Node.js reads pipes of its own, to wake its threads, and looks at the flags of stdout when it ends. */
function isOnSave({ name, paths, text }: TracedCall): boolean {
  return (
    (text.includes('pipe:[') && (name === 'fcntl' ? text.includes('PIPE_SZ') : !['read', 'close'].includes(name))) ||
    paths.some((file) => file.includes('/blobs/'))
  );
}

/** The end of a save with an injection. `isOurs`: it hit only calls on blobs and pipes, none of Node.js itself. */
export interface InjectedSave extends SaveResult {
  readonly isOurs: boolean;
}

/** Runs a save in which something is injected at a point. `nth` may be a set of numbers of strace. */
export async function saveWith(
  scene: SaveScene,
  at: { readonly name: string; readonly nth: number | string },
  what: Injection,
): Promise<InjectedSave> {
  const log = path.join(scene.folder, `log-${(saves += 1)}`);
  const { result } = startSave(scene, 'exec cat >"$OUT"', traceArgs(log, { at, what }, SAVE_CALLS));
  const ended = await result();
  const calls = await readCalls(log);
  await rm(log);
  return { ...ended, isOurs: calls.filter(({ isInjected }) => isInjected).every(isOnSave) };
}
