import { jsonLine } from '../../model/json-line.js';
import type { ProgressError, ProgressEvent, StartEvent } from '../../model/progress-event.js';
import type { ProgressEnd, ProgressSink } from './progress-sink.js';

/** Bytes of a line at most, with its line feed. */
const MAX_LINE_BYTES = 64 * 1024;

/** Prints each event as one line of JSON (docs/progress.schema.json). */
export class JsonProgress implements ProgressSink {
  readonly #write: (line: string) => void;
  readonly #now: () => Date;

  constructor(write: (line: string) => void, now: () => Date) {
    this.#write = write;
    this.#now = now;
  }

  take(event: ProgressEvent): void {
    // The end comes from the command, which knows the exit status.
    if (event.type === 'end') return;
    if (event.type === 'start') this.#print(event, ...shorter(event));
    else this.#print(event);
  }

  end({ status, error, report }: ProgressEnd): void {
    if (error === undefined) {
      const end = { type: 'end', ok: true, status };
      return this.#print({ ...end, ...(report && { report }) }, end);
    }
    const end = { type: 'end', ok: false, status };
    this.#print({ ...end, error }, { ...end, error: withoutDetails(error) });
  }

  /** Prints the first of these that fits into a line. */
  #print(...events: readonly object[]): void {
    const time = this.#now().toISOString();
    const lines = events.map((event) => `${jsonLine({ time, ...event })}\n`);
    const fitting = lines.find((line) => Buffer.byteLength(line) <= MAX_LINE_BYTES);
    if (fitting !== undefined) this.#write(fitting);
  }
}

/** The same start with fewer and fewer images. */
function shorter(event: StartEvent): readonly StartEvent[] {
  const { images, imagesLeftOut = 0 } = event;
  return [100, 10, 0]
    .filter((count) => count < images.length)
    .map((count) => ({
      ...event,
      images: images.slice(0, count),
      imagesLeftOut: imagesLeftOut + images.length - count,
    }));
}

/** Texts of strangers may be long. */
function withoutDetails({ code, category, message }: ProgressError): ProgressError {
  return { code, category, message: message.slice(0, 4096), details: {} };
}
