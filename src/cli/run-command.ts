import type { CommandContext, CommonOptions } from './command-context.js';
import { printError } from './console.js';
import { exitStatusOf, isReaderGone, READER_GONE } from './exit-status.js';
import type { ProgressOperation } from '../model/progress-event.js';
import { outputError } from './output-error.js';
import { ProgressOutput } from './progress/progress-output.js';

/** Runs a command and sets the exit status. Nothing calls `process.exit`, so that pending output is still written. */
export async function run(
  options: CommonOptions,
  work: (context: CommandContext) => Promise<number>,
  op?: ProgressOperation,
): Promise<void> {
  const signals = listenForSignals();
  const progress = new ProgressOutput(op, options);
  try {
    process.exitCode = await work({ signal: signals.aborted, progress });
    await progress.end(process.exitCode);
  } catch (error) {
    const named = outputError(error, 'the system refused something');
    process.exitCode = signals.received()?.status ?? (isReaderGone(named) ? READER_GONE : exitStatusOf(named));
    await progress.end(process.exitCode, named);
    // Its end was a line of JSON: another line would be none.
    const isTold = progress.isJson && options.json !== true;
    if (process.exitCode !== READER_GONE && !isTold) printError(named, options);
  }
  signals.endIfBlocked();
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** How long a write may stay blocked after the clean-up is over, in milliseconds. */
const BLOCKED_MS = 500;

interface Signals {
  readonly aborted: AbortSignal;
  readonly received: () => { readonly name: string; readonly status: number } | undefined;
  /** Kills the process after a signal: nothing else ends a thread whose write waits for a reader who reads nothing. */
  readonly endIfBlocked: () => void;
}

/** The first signal aborts cleanly; a second one has Node's default effect and ends the process. */
function listenForSignals(): Signals {
  const controller = new AbortController();
  let received: { name: string; status: number } | undefined;
  for (const [name, status] of Object.entries(SIGNALS)) {
    process.once(name, () => {
      received = { name, status };
      controller.abort();
    });
  }
  const endIfBlocked = (): void => {
    if (received !== undefined)
      setTimeout((name: string) => process.kill(process.pid, name), BLOCKED_MS, received.name).unref();
  };
  return { aborted: controller.signal, received: () => received, endIfBlocked };
}
