import type { CopyEvent } from '../copy/copy-blobs.js';
import type { LineOutput } from './line-output.js';
import { shortId } from './short-id.js';

/** What a client reads of one blob. The docker command draws these words. */
export interface BlobWords {
  readonly waiting: readonly string[];
  readonly copying: string;
  readonly copied: readonly string[];
  readonly present: string;
}

export const PULL_WORDS: BlobWords = {
  waiting: ['Pulling fs layer'],
  copying: 'Downloading',
  copied: ['Verifying Checksum', 'Download complete', 'Pull complete'],
  present: 'Already exists',
};

export const PUSH_WORDS: BlobWords = {
  waiting: ['Preparing', 'Waiting'],
  copying: 'Pushing',
  copied: ['Pushed'],
  present: 'Layer already exists',
};

/** The shortest time between two progress lines of one blob, in milliseconds: five in a second. */
const PROGRESS_MS = 1000 / 5;

/** Progress of configs and layers as lines. Holds the time of the last line of each blob. */
export class BlobLines {
  readonly #output: LineOutput;
  readonly #words: BlobWords;
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(output: LineOutput, words: BlobWords, now: () => number) {
    this.#output = output;
    this.#words = words;
    this.#now = now;
  }

  readonly tell = (event: CopyEvent): void => {
    // Clients know no manifests here.
    if (event.kind === 'manifest') return;
    const id = shortId(event.digest);
    const { waiting, copied, present, copying } = this.#words;
    if (event.state === 'copying') return this.#progress(id, copying, event);
    const mounted = event.mountedFrom === undefined ? present : `Mounted from ${event.mountedFrom}`;
    const statuses = { waiting, copied, present: [mounted] }[event.state];
    for (const status of statuses) this.#output.write({ status, progressDetail: {}, id });
  };

  #progress(id: string, status: string, { bytes, size }: CopyEvent): void {
    const now = this.#now();
    if (this.#output.isFull || now - (this.#told.get(id) ?? Number.NEGATIVE_INFINITY) < PROGRESS_MS) return;
    this.#told.set(id, now);
    // A body may have one byte too many, which ends it.
    this.#output.write({ status, progressDetail: { current: Math.min(bytes, size), total: size }, id });
  }
}
