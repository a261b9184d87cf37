import type { Descriptor } from './descriptor.js';
import { isDigest, type Digest } from './digest.js';
import { onceFor } from './once-for.js';

/** A root, and the part of it that a store keeps. */
export interface KeptRoot {
  readonly descriptor: Descriptor;
  /**
   * The manifests and nested indexes below the root that are kept, sorted; without it all that the root leads to.
   * Content of others is not needed, though the root lists it.
   */
  readonly kept?: readonly Digest[];
}

/** A record of any kind with another part kept. */
export type WithKept<T extends KeptRoot> = Omit<T, 'kept'> & Pick<KeptRoot, 'kept'>;

/** What was kept before or was added, for each root: all records of one root keep the same. */
export function mergeKept<T extends KeptRoot>(
  list: readonly T[],
  before: readonly KeptRoot[],
  added: readonly KeptRoot[],
): readonly WithKept<T>[] {
  const touched = new Set(added.map(({ descriptor }) => descriptor.digest));
  const union = new Map<Digest, Set<Digest> | undefined>();
  for (const { descriptor, kept } of [...before, ...added]) {
    const { digest } = descriptor;
    if (touched.has(digest)) union.set(digest, unionOf(union.has(digest) ? union.get(digest) : new Set(), kept));
  }
  // Sorted once for each root: it may have many thousand names.
  const merged = new Map([...union].map(([digest, kept]) => [digest, kept && [...kept].toSorted()]));
  return list.map((record) =>
    touched.has(record.descriptor.digest) ? replaceKept(record, merged.get(record.descriptor.digest)) : record,
  );
}

/** The record with another part kept; undefined keeps all. */
export function withKept<T extends KeptRoot>(record: T, kept: readonly Digest[] | undefined): WithKept<T> {
  return replaceKept(record, kept && [...new Set(kept)].toSorted());
}

function replaceKept<T extends KeptRoot>(record: T, kept: readonly Digest[] | undefined): WithKept<T> {
  const { kept: _, ...rest } = record;
  return { ...rest, ...(kept && { kept }) };
}

/** Whether the record keeps a manifest or index below its root. */
export function keepsPart({ kept }: Pick<KeptRoot, 'kept'>, digest: Digest): boolean {
  return kept === undefined || setOf(kept).has(digest);
}

/** Made once for each list: a stranger's archive may list a hundred thousand parts, and each is asked for. */
const setOf = onceFor((kept: readonly Digest[]): ReadonlySet<Digest> => new Set(kept));

/** As the text of an annotation. */
export function formatKept(kept: readonly Digest[]): string {
  return kept.join(' ');
}

/** Reads the text of an annotation; undefined without one. */
export function parseKept(text: string | undefined): readonly Digest[] | undefined {
  return text?.split(' ').filter(isDigest);
}

/** Adds to the set in place: a copy for each name of a root would cost the square of their number. */
function unionOf(known: Set<Digest> | undefined, kept: readonly Digest[] | undefined): Set<Digest> | undefined {
  if (known !== undefined) kept?.forEach((digest) => known.add(digest));
  return kept && known;
}
