import { rm } from 'node:fs/promises';
import { forEachPoint } from './form.js';
import { commandLine, type Operation } from './operations.js';
import { wrongAfterFault, wrongAfterRecovery, type Control } from './recovery.js';
import type { Scene } from './scene.js';
import { judge } from './store-oracle.js';
import { isInStore, runTraced, type Point } from './traced-calls.js';

/** The results of killing a process at some of its calls. */
export interface KillReport {
  /** Points at which the process was killed in a call on the store. */
  readonly killed: number;
  /** Points that another thread reached first, with its own call of that number, or that no thread reached. */
  readonly elsewhere: number;
  /** Each thing that was wrong, with its point. */
  readonly violations: readonly string[];
}

/** Runs the operation once for each point, and kills it there with SIGKILL, before the call has any effect. */
export async function killAt(
  scene: Scene,
  operation: Operation,
  control: Control,
  points: readonly Point[],
): Promise<KillReport> {
  const results = await forEachPoint(points, async (point) => await killOnce(scene, operation, control, point));
  return {
    killed: results.filter(({ isOnStore }) => isOnStore).length,
    elsewhere: results.filter(({ isOnStore }) => !isOnStore).length,
    violations: results.flatMap(({ violations }) => violations),
  };
}

async function killOnce(scene: Scene, operation: Operation, control: Control, point: Point) {
  const store = await scene.copyOf(operation.template);
  const log = `${store}.log`;
  const inject = { at: point, what: 'signal=SIGKILL' } as const;
  const run = await runTraced(scene.main, commandLine(operation, scene, store), log, inject);
  const last = run.calls.filter((call) => call.name === point.name && call.nth === point.nth);
  const isKilled = run.signal === 'SIGKILL' || run.status === 137;
  const wrong = wrongAfterFault(await judge(store), control, !isKilled && run.status === 0);
  const later = await wrongAfterRecovery(scene, operation, control, store);
  await Promise.all([store, log].map(async (name) => await rm(name, { recursive: true, force: true })));
  const violations = [...wrong, ...later].map((text) => `${operation.title}, ${point.name} ${point.nth}: ${text}`);
  return { violations, isOnStore: isKilled && last.some((call) => isInStore(call, store)) };
}
