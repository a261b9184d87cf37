import { rm } from 'node:fs/promises';
import type { PrintedError } from '../fixtures/cli-workspace.js';
import { forEachPoint } from './form.js';
import { commandLine, type Operation } from './operations.js';
import { wrongAfterFault, wrongAfterRecovery, type Control } from './recovery.js';
import type { Scene } from './scene.js';
import { judge, type Judgement } from './store-oracle.js';
import { isInStore, runTraced, type Point, type TracedRun } from './traced-calls.js';

/** Errors of the kernel, and the code that an operation ends with for each. EDQUOT and others are handled as ENOSPC. */
const CODES = { ENOSPC: 'ERR_NO_SPACE', EIO: 'ERR_STORAGE_IO' } as const;

/** An error of the kernel. */
export type KernelError = keyof typeof CODES;

/** The results of errors at some of the calls of an operation. */
export interface ErrorReport {
  /** Runs in which the injected error hit only calls on the store. */
  readonly failed: number;
  /** Those of `failed` that succeeded all the same: the operation did not need the call. */
  readonly shrugged: number;
  /** Runs in which no call failed, or also one outside the store. Only the store is judged, not how they end. */
  readonly elsewhere: number;
  readonly violations: readonly string[];
}

/** Runs the operation once for each point, and makes the call at that point fail. */
export async function failAt(
  scene: Scene,
  operation: Operation,
  control: Control,
  error: KernelError,
  points: readonly Point[],
): Promise<ErrorReport> {
  const results = await forEachPoint(points, async (point) => await failOnce(scene, operation, control, error, point));
  return {
    failed: results.filter(({ isOnStore }) => isOnStore).length,
    shrugged: results.filter(({ isOnStore, status }) => isOnStore && status === 0).length,
    elsewhere: results.filter(({ isOnStore }) => !isOnStore).length,
    violations: results.flatMap(({ violations }) => violations),
  };
}

async function failOnce(scene: Scene, operation: Operation, control: Control, error: KernelError, point: Point) {
  const store = await scene.copyOf(operation.template);
  const log = `${store}.log`;
  const inject = { at: point, what: `error=${error}` } as const;
  const run = await runTraced(scene.main, [...commandLine(operation, scene, store), '--json'], log, inject);
  const injected = run.calls.filter(({ isInjected }) => isInjected);
  const isOnStore = injected.length > 0 && injected.every((call) => isInStore(call, store));
  const judgement = await judge(store);
  const wrong = [
    ...wrongAfterFault(judgement, control, run.status === 0),
    ...(isOnStore ? wrongEnd(run, error, point, judgement) : []),
    ...(await wrongAfterRecovery(scene, operation, control, store)),
  ];
  await Promise.all([store, log].map(async (name) => await rm(name, { recursive: true, force: true })));
  const violations = wrong.map((text) => `${operation.title}, ${error} at ${point.name} ${point.nth}: ${text}`);
  return { violations, isOnStore, status: run.status };
}

/** The run printed the right code and status, and left no file in `ingest/` unless the call was the removal of one. */
function wrongEnd(run: TracedRun, error: KernelError, { name }: Point, { seen }: Judgement): readonly string[] {
  if (run.status === 0) return [];
  const { code } = printedError(run);
  return [
    ...(run.status === 8 && code === CODES[error] ? [] : [`${run.status ?? run.signal} ${code} ${run.stderr}`]),
    ...(name.startsWith('unlink') ? [] : seen.ingest.map((file) => `ingest/${file} is left`)),
  ];
}

function printedError({ stderr }: TracedRun): Partial<PrintedError['error']> {
  try {
    return (JSON.parse(stderr) as PrintedError).error;
  } catch {
    return {};
  }
}
