import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { storeWith } from '../fixtures/unpacking.js';
import { faultFolder, forEachPoint } from './form.js';
import { runProgram } from './program.js';
import { pointsOf, runTraced, UNPACKING, type Injection, type Point, type TracedRun } from './traced-calls.js';

/** An image with everything that a directory can have, and files on both sides of what is written at once. */
const LAYERS = [
  `a/ a/b/{0555} a/b/x=1{04755,u7} y=${'z'.repeat(300_000)} h⇒a/b/x gone=1`,
  'p:a/f{0600} c:n{1:3} l→a/b k⇒l d/{user.d=1} d/x=2{user.a=b} e= .wh.gone',
];

/** A store with that image, and what an unpacking of it makes. */
export interface UnpackScene {
  readonly folder: string;
  readonly store: string;
  readonly args: (target: string) => readonly string[];
  readonly expected: readonly string[];
  /** Each call that changes what is beside the target, in its order. */
  readonly points: readonly Point[];
}

/** What became of an unpacking in which one call failed, or that was killed at one. */
export interface UnpackFault {
  readonly point: Point;
  /** Whether the call was one beside the target. */
  readonly isHit: boolean;
  readonly violations: readonly string[];
}

/** Builds the store, and traces an unpacking without a fault. */
export async function unpackScene(t: TestContext, options: readonly string[]): Promise<UnpackScene> {
  const folder = await faultFolder(t);
  const store = path.join(folder, 'store');
  await storeWith(LAYERS, {}, await OciLayoutStore.open(store));
  const common = ['unpack', '--platform', 'linux/amd64', '--store', store, '--json', ...options];
  const args = (target: string): readonly string[] => [...common, 'example/rootfs:1', target];
  const place = path.join(folder, 'control');
  await mkdir(place);
  const target = path.join(place, 'rootfs');
  const run = await runTraced(LADING, args(target), path.join(folder, 'control.log'), undefined, UNPACKING);
  if (run.status !== 0) throw new Error(`the unpacking failed: ${run.stderr}`);
  return { folder, store, args, expected: await treeOf(target), points: pointsOf(run.calls, place, true) };
}

async function treeOf(target: string): Promise<readonly string[]> {
  const lines = await listFolder(target);
  // The time of a bundle's own folder is that of its making.
  return lines.filter((line) => !/^(?:\.\/|\.|config\.json) /.test(line));
}

/** Runs the unpacking once for each point, and does `what` there. `codes` are the errors that it may end with. */
export async function faultAt(
  scene: UnpackScene,
  what: Injection,
  points: readonly Point[],
  codes: readonly string[],
): Promise<readonly UnpackFault[]> {
  return await forEachPoint(points, async (point, at) => {
    const place = path.join(scene.folder, `${what.replace('=', '-')}-${at}`);
    const log = `${place}.log`;
    await mkdir(place);
    const target = path.join(place, 'rootfs');
    const run = await runTraced(LADING, scene.args(target), log, { at: point, what }, UNPACKING);
    // Node.js ends itself if its own calls fail, those that wake its threads for example.
    const isKilled = run.signal !== null || (run.status ?? 0) > 128;
    const isOurs = run.calls.some(({ isInjected, paths }) => isInjected && paths.some(isIn(place)));
    const isSignal = what.startsWith('signal=');
    const isHit = isSignal ? isKilled : isOurs;
    const wrong = [
      ...(await wrongPlace(scene, place, run, isKilled)),
      ...(isOurs && !isSignal ? wrongEnd(run, codes) : []),
    ];
    wrong.push(...(await wrongRecovery(scene, target)));
    await Promise.all([place, log].map(async (name) => await rm(name, { recursive: true, force: true })));
    return { point, isHit, violations: wrong.map((text) => `${what} at ${point.name} ${point.nth}: ${text}`) };
  });
}

function isIn(place: string): (file: string) => boolean {
  return (file) => file.startsWith(`${place}${path.sep}`);
}

/** The target is whole or not there; only a killed process leaves anything else, under a name of its own. */
async function wrongPlace(
  { expected }: UnpackScene,
  place: string,
  run: TracedRun,
  isKilled: boolean,
): Promise<readonly string[]> {
  const names = await readdir(place);
  const left = names.filter((name) => name !== 'rootfs');
  const wrong: string[] = [];
  if (!isKilled && left.length > 0) wrong.push(`${left.join(', ')} is left`);
  if (left.some((name) => !/^\.rootfs\.lading-[0-9a-f-]{36}$/.test(name))) wrong.push(`${left.join(', ')} is left`);
  const isThere = names.includes('rootfs');
  if (run.status === 0 && !isThere) wrong.push('it ended well without its directory');
  if (isThere && (await treeOf(path.join(place, 'rootfs'))).join('\n') !== expected.join('\n')) {
    wrong.push('the directory is not whole');
  }
  if (isThere && run.status !== 0 && !isKilled && !run.stderr.includes('is whole'))
    wrong.push('it is there all the same');
  return wrong;
}

function wrongEnd({ status, signal, stderr }: TracedRun, codes: readonly string[]): readonly string[] {
  if (status === 0 || codes.some((code) => stderr.includes(`"${code}"`))) return [];
  return [`it ended with ${status ?? signal}: ${stderr}`];
}

/** What was left behind is in nobody's way. */
async function wrongRecovery(scene: UnpackScene, target: string): Promise<readonly string[]> {
  await rm(target, { recursive: true, force: true });
  const { status, stderr } = await runProgram(LADING, scene.args(target));
  if (status !== 0) return [`the next unpacking failed: ${stderr}`];
  return (await treeOf(target)).join('\n') === scene.expected.join('\n') ? [] : ['the next unpacking is not whole'];
}
