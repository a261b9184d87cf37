import type { Digest } from './model/digest.js';
import type { LadingError } from './model/errors.js';
import { archiveStore } from './archive-store.js';
import { loadImages, type LoadSource } from './load-images.js';
import { problemOf, type Problem, type VerifyOptions, type VerifyReport } from './verify-images.js';

/**
 * Verifies an archive without keeping it: everything in it is hashed, wanted or not. Holds its documents, at most 64 MiB.
 * Throws what a load of it would throw; lying blobs that no image needs are problems in the report.
 */
export async function verifyArchive(source: LoadSource, options: VerifyOptions = {}): Promise<VerifyReport> {
  const store = archiveStore();
  const problems: Problem[] = [];
  const onDamage = (error: LadingError, digest: Digest): void => void problems.push(problemOf(error, digest));
  const { images, blobs, warnings } = await loadImages(store, source, { ...options, everything: true, onDamage });
  return {
    images,
    blobs: { count: blobs.stored + blobs.skipped, bytes: blobs.bytesStored + blobs.bytesSkipped },
    problems,
    warnings,
  };
}
