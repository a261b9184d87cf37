import { fstatSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { threadErrorOf } from '../model/thread-error.js';
import { hashFile, openBody } from './bodies.js';
import { PumpState, type PumpThreadData } from './pump-tasks.js';

/*
 * A thread that hashes large bodies, somewhat ahead of the thread that writes them. Both read the same open file. Holds
 * one buffer of 1 MiB.
 */

const { shared, large } = workerData as PumpThreadData;
const state = new PumpState(shared);

try {
  hashAll();
} catch (error) {
  parentPort?.postMessage(threadErrorOf(error as NodeJS.ErrnoException));
}

function hashAll(): void {
  for (let at = state.claim(); at !== undefined; at = state.claim()) {
    try {
      hashOne(at);
    } catch (error) {
      state.judged(at, 'bad');
      throw error;
    }
  }
}

function hashOne(at: number): void {
  const entry = large[at];
  if (entry === undefined) return;
  const fd = openBody(entry);
  state.opened(at, fd, fstatSync(fd, { bigint: true }).ctimeNs);
  if (hashFile(fd, entry, () => state.isStopped)) state.judged(at, 'good');
}
