import type { Digest } from '../model/digest.js';
import { LadingError, type ErrorCode } from '../model/errors.js';
import type { FoundBlob } from './content-provider.js';

/** How many damaged blobs get an error of their own. */
const MAX_OWN_ERRORS = 1000;

/** The damaged blobs of an archive that no image may need. Holds a record for each, and up to 1 000 errors. */
export class DamagedBlobs {
  readonly #blobs = new Map<Digest, Required<Omit<FoundBlob, 'mountedFrom'>>>();
  readonly #sharedErrors = new Map<ErrorCode, LadingError>();

  /** Each damaged blob, with the size that it had. */
  get blobs(): ReadonlyMap<Digest, Required<Omit<FoundBlob, 'mountedFrom'>>> {
    return this.#blobs;
  }

  /** Notes a blob that had this size, in bytes. Its own error, with this code, is made only for the first ones. */
  add(digest: Digest, size: number, code: ErrorCode, errorOf: () => LadingError): void {
    const damage = this.#blobs.size < MAX_OWN_ERRORS ? errorOf() : this.#sharedError(code);
    this.#blobs.set(digest, { size, damage });
  }

  /** Returns one error for all damage with this code: an error for each blob would take a kilobyte for its stack. */
  #sharedError(code: ErrorCode): LadingError {
    const message = `a blob is damaged, one of more than ${MAX_OWN_ERRORS} in the archive`;
    const shared = this.#sharedErrors.get(code) ?? new LadingError(code, message);
    this.#sharedErrors.set(code, shared);
    return shared;
  }
}
