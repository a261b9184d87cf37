import { Stage } from '../flow/stage.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { ALL_LIMITS, type Limits } from '../model/limits.js';
import { check } from '../model/rules.js';
import { DESCRIBED, type BlobNeed } from './records.js';

/** Passes on each digest once, when it is needed first. Holds one digest for each distinct blob. */
export class DedupeBlobs extends Stage<BlobNeed, BlobNeed> {
  readonly #limits: Limits;
  readonly #sizes = new Map<Digest, number>();

  protected override readonly rule = DESCRIBED;

  constructor(limits: Limits) {
    super();
    check({ limits: ALL_LIMITS }, { limits });
    this.#limits = limits;
  }

  protected override *each(need: BlobNeed): Generator<BlobNeed> {
    const { digest, size } = need.descriptor;
    if (this.#sizes.has(digest)) return;
    this.#sizes.set(digest, size);
    if (this.#sizes.size > this.#limits.maxDescriptors) {
      throw new LadingError('ERR_LIMIT_DESCRIPTORS', `more than ${this.#limits.maxDescriptors} different blobs`);
    }
    yield need;
  }
}
