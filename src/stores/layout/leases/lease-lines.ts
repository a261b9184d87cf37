import { isDigest, type Digest } from '../../../model/digest.js';

/** The line that a process writes when it ends an operation that may be resumed. */
export const ENDED = 'ended';

/** Before it: so many milliseconds the blobs stay, whatever the resume time is. */
export const HELD = 'held';

/** Longer than any line of a lease. */
const MAX_LINE_BYTES = 4096;

/** What the lines of a lease say. */
export interface ReadLease {
  readonly first: string;
  readonly isEnded: boolean;
  readonly holdMs: number | undefined;
  readonly digests: readonly Digest[];
}

function holdIn(line: string): number | undefined {
  const [, ms] = /^held (\d{1,12})$/.exec(line) ?? [];
  return ms === undefined ? undefined : Number(ms);
}

/**
 * Reads the lines of a lease from chunks: its owner, then digests. Holds the digests and one line; of a line that is
 * longer than those of a lease it holds only the start, which is no digest.
 */
export class LeaseLines {
  readonly #digests: Digest[] = [];
  #first: string | undefined;
  #isEnded = false;
  #holdMs: number | undefined;
  #line = '';

  add(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      this.#append(chunk.subarray(from, at));
      this.#take();
      from = at + 1;
    }
    this.#append(chunk.subarray(from));
  }

  /** The content. A last line without its end counts too: its writer may be in the middle of the next one. */
  end(): ReadLease {
    this.#take();
    const first = Buffer.from(this.#first ?? '', 'latin1').toString('utf8');
    return { first, isEnded: this.#isEnded, holdMs: this.#holdMs, digests: this.#digests };
  }

  #append(part: Buffer): void {
    const room = MAX_LINE_BYTES - this.#line.length;
    if (room > 0 && part.length > 0) this.#line += part.toString('latin1', 0, room);
  }

  #take(): void {
    const line = this.#line;
    this.#line = '';
    if (this.#first === undefined) this.#first = line;
    else if (line === ENDED) this.#isEnded = true;
    else if (isDigest(line)) this.#digests.push(line);
    else this.#holdMs = holdIn(line) ?? this.#holdMs;
  }
}
