import { open, type FileHandle } from 'node:fs/promises';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import type { CopyEvent, ReportEvent } from './copy-event.js';
import { outputError } from './output-error.js';
import { TagHistory } from './tag-history.js';

const SCHEMA = 'lading.copy-event/1';
const START = `{"schema":"${SCHEMA}"`;

/**
 * The file of `--report`: one line of JSON for each copy, on disk before the next one is told. A line that was torn by
 * the end of a process is ignored. Holds a record for each image that earlier runs have copied.
 */
export class CopyReportFile {
  readonly #file: FileHandle;
  readonly #copied = new Map<string, Digest>();
  /** The tags that the runs so far have written. */
  readonly history = new TagHistory();
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Opens a report, or begins one. Throws ERR_OPTION_INVALID for a file that is something else. */
  static async open(path: string): Promise<CopyReportFile> {
    const opened = await open(path, 'a+').catch((error: unknown) => {
      throw outputError(error, `--report: cannot open ${quote(path)}`);
    });
    const report = new CopyReportFile(opened);
    try {
      await report.#read(path);
      return report;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** The digest that an image got when it was copied by this line, with these choices. */
  digestOf({ from, to, choices }: Pick<CopyEvent, 'from' | 'to' | 'choices'>, source: Digest): Digest | undefined {
    return this.#copied.get(keyOf(from, to, choices, source));
  }

  /** Appends an event, and waits until it is on disk. */
  async add(event: ReportEvent): Promise<void> {
    this.#note(event);
    const adding = this.#writing.then(async () => {
      await this.#file.appendFile(`${JSON.stringify({ schema: SCHEMA, ...event })}\n`);
      await this.#file.datasync();
    });
    this.#writing = adding.catch(() => {});
    await adding.catch((error: unknown) => {
      throw outputError(error, '--report: cannot write');
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #read(path: string): Promise<void> {
    let isFirst = true;
    let last = '';
    for await (const line of this.#file.readLines({ autoClose: false, start: 0 })) {
      last = line;
      // A torn line was left by a process that was killed.
      const isOurs = line.startsWith(START) || START.startsWith(line);
      if (isFirst && !isOurs) throw notAReport(path);
      isFirst = false;
      this.#note(parsed(line));
    }
    if (last !== '' && !(await this.#endsWithNewline())) await this.#file.appendFile('\n');
  }

  async #endsWithNewline(): Promise<boolean> {
    const { size } = await this.#file.stat();
    const { buffer } = await this.#file.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] === 0x0a;
  }

  #note(event: ReportEvent | undefined): void {
    if (event === undefined) return;
    this.history.note(event);
    if ((event.status !== 'copied' && event.status !== 'up-to-date') || event.incomplete === true) return;
    for (const { source, digest } of event.images ?? [])
      this.#copied.set(keyOf(event.from, event.to, event.choices, source), digest);
  }
}

function keyOf(...parts: readonly string[]): string {
  return parts.join(' ');
}

/** The event of a line; undefined for a torn one. */
function parsed(line: string): ReportEvent | undefined {
  try {
    const event = JSON.parse(line) as Partial<ReportEvent>;
    const { from, to, images = [] } = event;
    const isEvent = typeof from === 'string' && typeof to === 'string' && Array.isArray(images);
    return isEvent ? (event as ReportEvent) : undefined;
  } catch {
    return undefined;
  }
}

function notAReport(path: string): LadingError {
  return new LadingError(
    'ERR_OPTION_INVALID',
    `--report: ${quote(path)} is there and is no report of lading copy; name another file`,
  );
}
