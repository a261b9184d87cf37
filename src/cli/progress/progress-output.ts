import type { OnProgress, ProgressError, ProgressOperation } from '../../model/progress-event.js';
import { PROGRESS_SCHEMA } from '../../model/progress-event.js';
import { printable } from '../../model/shown-text.js';
import { describe, type OutputOptions } from '../console.js';
import type { ProgressMode } from './progress-mode.js';
import type { ProgressSink } from './progress-sink.js';

/** Shows the progress of one command on stderr: one start and one end, whatever happens in between. */
export class ProgressOutput {
  readonly #op: ProgressOperation | undefined;
  readonly #mode: Exclude<ProgressMode, 'auto'>;
  readonly #isReported: boolean;
  #sink: ProgressSink | undefined;
  #hasStarted = false;
  #hasEnded = false;
  #report: object | undefined;
  #error: unknown;

  /** Without an operation nothing is shown. */
  constructor(op: ProgressOperation | undefined, options: OutputOptions) {
    this.#op = op;
    this.#mode = op === undefined ? 'none' : modeOf(options);
    // With --json the report has a place of its own.
    this.#isReported = options.json === true;
  }

  /** Whether stderr has lines of JSON, and nothing else. */
  get isJson(): boolean {
    return this.#mode === 'json';
  }

  /** The listener for the operations of the command; undefined if nothing is shown. */
  async listener(): Promise<OnProgress | undefined> {
    if (this.#op === undefined || this.#mode === 'none') return undefined;
    this.#sink ??= await sinkOf(this.#mode, this.#op);
    const sink = this.#sink;
    return (event) => {
      // A command may have several operations.
      if (event.type === 'start' && this.#hasStarted) return;
      if (event.type === 'start') this.#hasStarted = true;
      if (!this.#hasEnded) sink.take(event);
    };
  }

  /** Notes the report of the command, for the end. */
  report(kind: string, report: object): void {
    if (!this.#isReported) this.#report = { schema: `lading.${kind}/1`, ...report };
  }

  /** Notes the error of a command that gives an exit status all the same. */
  failed(error: unknown): void {
    this.#error = error;
  }

  /** Makes room on the terminal for other lines. */
  clear(): void {
    this.#sink?.clear?.();
  }

  async end(status: number, error = this.#error): Promise<void> {
    const listener = await this.listener();
    if (listener === undefined || this.#op === undefined) return;
    listener({ type: 'start', schema: PROGRESS_SCHEMA, op: this.#op, images: [] });
    // What was given up may still be ending.
    this.#hasEnded = true;
    this.#sink?.end({ status, report: this.#report, ...(error !== undefined && { error: errorOf(error) }) });
  }
}

/** Without the fields of an Error that are none of ours. */
function errorOf(error: unknown): ProgressError {
  const { code, category, message, details } = describe(error);
  return { code, category, message, details };
}

function modeOf({ progress = 'none', quiet = false }: OutputOptions): Exclude<ProgressMode, 'auto'> {
  if (quiet) return 'none';
  if (progress !== 'auto') return progress;
  const { TERM, CI = '' } = process.env;
  return process.stderr.isTTY && TERM !== 'dumb' && CI === '' ? 'tty' : 'none';
}

function write(text: string): void {
  process.stderr.write(text);
}

function now(): number {
  return performance.now();
}

async function sinkOf(mode: 'tty' | 'plain' | 'json', op: ProgressOperation): Promise<ProgressSink> {
  // Whoever reads stderr may go away before the work is over.
  process.stderr.on('error', () => {});
  if (mode === 'json') return new (await import('./json-progress.js')).JsonProgress(write, () => new Date());
  if (mode === 'plain')
    return new (await import('./plain-progress.js')).PlainProgress(
      (line) => write(`lading: ${printable(line)}\n`),
      op,
      now,
    );
  const { TerminalProgress } = await import('./terminal-progress.js');
  return new TerminalProgress(process.stderr, op, { isUnicode: isUnicode(), now });
}

/** The first of the three that is set counts (POSIX, "Internationalization Variables"). */
function isUnicode(): boolean {
  const { LC_ALL = '', LC_CTYPE = '', LANG = '' } = process.env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG);
}
