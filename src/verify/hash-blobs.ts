import { isUnreadable } from '../files/storage-error.js';
import { throwIfAborted } from '../model/aborted.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ContentProvider } from '../content/content-provider.js';
import { problemOf, type Problem } from './check-images.js';
import type { HashProgress } from './hash-progress.js';

/** Where to note what is damaged, and whom to tell of each blob. */
export interface HashOptions {
  readonly damage: Map<Digest, Problem>;
  readonly hashing: HashProgress | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Reads and hashes every blob, one after another. Returns how many there were, and their bytes. Holds one chunk. */
export async function hashBlobs(
  store: Pick<ContentProvider, 'open'>,
  digests: Iterable<Digest> | AsyncIterable<Digest>,
  { damage, hashing, signal }: HashOptions,
): Promise<{ readonly count: number; readonly bytes: number }> {
  let count = 0;
  let bytes = 0;
  for await (const digest of digests) {
    throwIfAborted(signal, 'the verification');
    const digester = new Digester(algorithmOf(digest));
    await hashing?.begin(digest, digester);
    const problem = await hash(store, digest, { digester, signal });
    hashing?.end();
    // Another process removed it meanwhile, which is not damage.
    if (problem === 'gone') continue;
    count += 1;
    bytes += digester.size;
    if (problem !== undefined && !damage.has(digest)) damage.set(digest, problem);
  }
  return { count, bytes };
}

/** Returns what is wrong with a blob, `gone` if it is not here, or undefined if it is good. */
async function hash(
  store: Pick<ContentProvider, 'open'>,
  digest: Digest,
  { digester, signal }: { readonly digester: Digester; readonly signal: AbortSignal | undefined },
): Promise<Problem | 'gone' | undefined> {
  try {
    for await (const chunk of store.open(digest, { kind: 'blob' })) {
      throwIfAborted(signal, 'the verification');
      digester.update(chunk);
    }
    return digester.digest() === digest ? undefined : mismatch(digest, digester.digest());
  } catch (error) {
    if (error instanceof LadingError && error.code === 'ERR_BLOB_MISSING') return 'gone';
    if (isUnreadable(error)) return problemOf(error, digest);
    throw error;
  }
}

function mismatch(digest: Digest, actual: Digest): Problem {
  const message = `blob ${digest}: content hashes to ${actual}; load the image again from a good archive`;
  return { code: 'ERR_DIGEST_MISMATCH', digest, message };
}
