import type { Digest, Digester } from '../model/digest.js';
import type { FoundBlob } from '../content/content-provider.js';
import type { Ingest, StoreSession } from '../stores/store.js';

/**
 * A session that asks its store once for what is not there: the documents of one archive may name the same absent blob
 * many times, or a hundred thousand of them. What the session itself stores is there from then on; what somebody else stores
 * meanwhile may stay unseen. Holds one digest for each absent blob.
 */
export function rememberAbsent(session: StoreSession): StoreSession {
  const absent = new Set<Digest>();
  const copy = session.copy?.bind(session);
  return {
    stat: async (digest): Promise<FoundBlob | undefined> => {
      if (absent.has(digest)) return undefined;
      const found = await session.stat(digest);
      if (found === undefined) absent.add(digest);
      return found;
    },
    claim: async (digests) => await session.claim?.(digests),
    open: (digest, range) => session.open(digest, range),
    begin: async (digester?: Digester): Promise<Ingest> => {
      const ingest = await session.begin(digester);
      return {
        write: async (chunk) => await ingest.write(chunk),
        commit: async (expected) => {
          const outcome = await ingest.commit(expected);
          absent.delete(expected.digest);
          return outcome;
        },
        abort: async () => await ingest.abort(),
      };
    },
    ...(copy && {
      copy: async (part, expected, signal) => {
        const outcome = await copy(part, expected, signal);
        absent.delete(expected.digest);
        return outcome;
      },
    }),
    endCopies: async () => await session.endCopies?.(),
    publish: async (change) => await session.publish(change),
    discard: async (digests, cut) => await session.discard(digests, cut),
    quarantine: async (digest) => await session.quarantine(digest),
    end: async (options) => await session.end(options),
  };
}
