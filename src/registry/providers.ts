import type { ContentProvider } from '../content/content-provider.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';

/** What the first has, else what the second has. */
export function firstOf(first: ContentProvider, second: ContentProvider): ContentProvider {
  return {
    stat: async (digest, kind) => (await first.stat(digest, kind)) ?? (await second.stat(digest, kind)),
    open: async function* (digest, options) {
      const holder = (await first.stat(digest, options.kind)) === undefined ? second : first;
      yield* holder.open(digest, options);
    },
  };
}

/** Documents that were read already. */
export function inMemory(documents: ReadonlyMap<Digest, Buffer>): ContentProvider {
  return {
    stat: async (digest) => {
      const bytes = documents.get(digest);
      return bytes && { size: bytes.length };
    },
    open: async function* (digest, { range }) {
      const bytes = documents.get(digest);
      if (bytes === undefined)
        throw new LadingError('ERR_BLOB_MISSING', `${digest} is not here`, { details: { digest } });
      yield bytes.subarray(range?.start, range?.end);
    },
  };
}
