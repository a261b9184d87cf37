import type { Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';

/** ERR_DIGEST_MISMATCH for content that hashes to another digest: in the same words for a document and any other blob. */
export function digestMismatch(expected: Digest, actual: Digest): LadingError {
  const message = `blob ${expected}: content hashes to ${actual}; it is damaged or was changed, fetch it again`;
  return new LadingError('ERR_DIGEST_MISMATCH', message, { details: { digest: expected, actual } });
}

/** ERR_SIZE_MISMATCH for content whose size, in bytes, is not that of its descriptor. */
export function sizeMismatch({ digest, size }: Content, actual: number): LadingError {
  const message = `blob ${digest}: its descriptor says ${size} bytes, it has ${actual}`;
  return new LadingError('ERR_SIZE_MISMATCH', message, { details: { digest, expected: size, size: actual } });
}

/** ERR_BLOB_MISSING for a blob that was here when an archive was planned. */
export function removedSince(digest: Digest): LadingError {
  const message = `blob ${digest} was removed since the archive was planned; plan again`;
  return new LadingError('ERR_BLOB_MISSING', message, { details: { digest } });
}

/** ERR_SIZE_MISMATCH for a blob whose file has another size than the archive was planned with. */
export function sizeChanged({ digest, size: expected }: Content, size: number): LadingError {
  const message = `blob ${digest}: ${size} bytes instead of ${expected}; run lading verify to find other damage`;
  return new LadingError('ERR_SIZE_MISMATCH', message, { details: { digest, expected, size } });
}
