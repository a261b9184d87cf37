import { decorated } from '../model/decorated.js';
import type { Digest } from '../model/digest.js';
import type { DestinationSession, Ingest, PartCopies } from '../stores/store.js';

/**
 * A session that looks up an absent blob in its store only once: the documents of one archive may name the same absent
 * blob many times, or a hundred thousand of them. Blobs that the session itself stores are found from then on; those
 * that another process stores meanwhile may not be. Holds one digest for each absent blob.
 */
export function rememberAbsent(session: DestinationSession): DestinationSession {
  const absent = new Set<Digest>();
  const { copies } = session;
  return decorated(session, {
    stat: async (digest, kind) => {
      if (absent.has(digest)) return undefined;
      const found = await session.stat(digest, kind);
      if (found === undefined) absent.add(digest);
      return found;
    },
    begin: async (expected, digester) => forgetting(await session.begin(expected, digester), absent),
    copies: copies && copiesForgetting(copies, absent),
  });
}

function forgetting(ingest: Ingest, absent: Set<Digest>): Ingest {
  return decorated(ingest, {
    commit: async (expected) => {
      const outcome = await ingest.commit(expected);
      absent.delete(expected.digest);
      return outcome;
    },
  });
}

function copiesForgetting(copies: PartCopies, absent: Set<Digest>): PartCopies {
  return decorated(copies, {
    copy: async (part, expected, signal) => {
      const outcome = await copies.copy(part, expected, signal);
      absent.delete(expected.digest);
      return outcome;
    },
  });
}
