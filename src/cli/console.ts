import { LadingError } from '../model/errors.js';
import { formatBytes, printable } from '../model/shown-text.js';
import type { ProgressError } from '../model/progress-event.js';
import type { Warning } from '../survey/reports.js';
import type { ProgressMode } from './progress/progress-mode.js';
import { outputError } from './output-error.js';

/** How a command prints. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly bytes?: boolean;
  /** `json`: stderr has events as lines of JSON, warnings among them. */
  readonly progress?: ProgressMode;
}

/** Writes text to stdout and waits until it is written. Throws EPIPE if the reader has gone, else errors of storage. */
export async function printText(text: string): Promise<void> {
  try {
    await write(text);
  } catch (error) {
    throw outputError(error, 'cannot write to stdout');
  }
}

async function write(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // The error comes as an event too, and an event without a listener would end the process.
    process.stdout.once('error', reject);
    process.stdout.write(text, (error) => {
      if (error) return reject(error);
      process.stdout.off('error', reject);
      resolve();
    });
  });
}

/** Writes lines to stdout. */
export async function printLines(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await printText(`${lines.map(printable).join('\n')}\n`);
}

/**
 * Writes a report as one JSON document to stdout, or to stderr where stdout carries an archive. Its `schema` names its
 * kind and the version of its shape: a higher version may lack or change fields, the same one may only get new fields.
 * A report with a schema of its own keeps that.
 */
export async function printReport(kind: string, report: object, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
  const document = { schema: `lading.${kind}/1`, ...report };
  const text = `${JSON.stringify(document, null, stream === 'stdout' ? 2 : undefined)}\n`;
  if (stream === 'stdout') await printText(text);
  else process.stderr.write(text);
}

/** Prints warnings on stderr; with --json they are in the report instead, with --progress json among the events. */
export function warn(warnings: readonly Warning[], { json = false, quiet = false, progress }: OutputOptions): void {
  if (json || quiet || progress === 'json') return;
  for (const { message } of warnings) process.stderr.write(`lading: warning: ${printable(message)}\n`);
}

/** Prints a warning on stderr at once, also with --json: it is about the way, not about an image. */
export function warnNow(message: string, { quiet = false }: OutputOptions): void {
  if (!quiet) process.stderr.write(`lading: warning: ${printable(message)}\n`);
}

/** Prints a line on stderr if that is a terminal. */
export function printOnTerminal(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${printable(line)}\n`);
}

/** Prints an error on stderr: one line of JSON with --json, else its message and code. */
export function printError(error: unknown, { json = false }: OutputOptions): void {
  const { code, category, message, details } = describe(error);
  const text = json
    ? JSON.stringify({ schema: 'lading.error/1', error: { code, category, message, details } })
    : `lading: ${printable(message)} [${code}]`;
  process.stderr.write(`${text}\n`);
}

/** An error as reports have it. */
export function describe(error: unknown): ProgressError {
  if (error instanceof LadingError) {
    // An error itself would lose its message in JSON.
    const { code, category, message, details } = error;
    return { code, category, message, details };
  }
  const { message, code = 'ERR_UNEXPECTED' } = error as NodeJS.ErrnoException;
  return { code, category: 'unexpected', message, details: {} };
}

/** The width of the terminal that stdout is; undefined if it is none. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** A table with columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}

/** A whole number in groups of three digits: `242 156 544`. */
export function formatGrouped(number: number): string {
  return String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ' ');
}

/** Bytes as text. */
export type SizeFormat = (bytes: number) => string;

/** How a command shows bytes: as people read them, or with `--bytes` exactly. */
export function sizeFormat({ bytes = false }: OutputOptions): SizeFormat {
  return bytes ? String : formatBytes;
}
