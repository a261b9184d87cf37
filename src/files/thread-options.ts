import type { WorkerOptions } from 'node:worker_threads';

/** The options of every thread. It needs little memory beside its buffers. */
export const THREAD_OPTIONS: WorkerOptions = {
  // With its own stdout and stderr: a thread that shares ours could make a pipe there non-blocking.
  stdout: true,
  stderr: true,
  execArgv: [],
  resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
};
