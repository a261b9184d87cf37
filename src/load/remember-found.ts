import { decorated } from '../model/decorated.js';
import type { Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { DestinationSession, Ingest, PartCopies } from '../stores/store.js';

/** What is known of blobs: the size of each that this session has stored, and undefined for each that is absent. */
type Known = Map<Digest, { readonly size: number } | undefined>;

/**
 * A session that looks up a blob in its store only once if it is absent, and not at all if the session has stored it:
 * the documents of one archive may name the same absent blob many times, or a hundred thousand of them, and every blob
 * that was loaded is looked for at the end of the load. What the session has claimed is not removed meanwhile. Blobs
 * that another process stores meanwhile may not be found. Holds one digest for each blob.
 */
export function rememberFound(session: DestinationSession): DestinationSession {
  const known: Known = new Map();
  const { copies } = session;
  return decorated(session, {
    stat: async (digest, kind) => {
      if (known.has(digest)) return known.get(digest);
      const found = await session.stat(digest, kind);
      if (found === undefined) known.set(digest, undefined);
      return found;
    },
    begin: async (expected, digester) => noting(await session.begin(expected, digester), known),
    copies: copies && copiesNoting(copies, known),
    discard: async (digests) => {
      const unwanted = [...digests];
      for (const digest of unwanted) known.delete(digest);
      return await session.discard(unwanted);
    },
  });
}

function noting(ingest: Ingest, known: Known): Ingest {
  return decorated(ingest, {
    commit: async (expected) => {
      const outcome = await ingest.commit(expected);
      note(known, expected);
      return outcome;
    },
  });
}

function copiesNoting(copies: PartCopies, known: Known): PartCopies {
  return decorated(copies, {
    copy: async (part, expected, signal) => {
      const outcome = await copies.copy(part, expected, signal);
      note(known, expected);
      return outcome;
    },
  });
}

function note(known: Known, { digest, size }: Content): void {
  known.set(digest, { size });
}
