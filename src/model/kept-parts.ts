import type { Descriptor } from './descriptor.js';
import { isDigest, type Digest } from './digest.js';

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
  const union = new Map<Digest, readonly Digest[] | undefined>();
  for (const { descriptor, kept } of [...before, ...added]) {
    const { digest } = descriptor;
    if (!touched.has(digest)) continue;
    union.set(digest, union.has(digest) ? unionOf(union.get(digest), kept) : kept);
  }
  return list.map((record) =>
    touched.has(record.descriptor.digest) ? withKept(record, union.get(record.descriptor.digest)) : record,
  );
}

/** The record with another part kept; undefined keeps all. */
export function withKept<T extends KeptRoot>(record: T, kept: readonly Digest[] | undefined): WithKept<T> {
  const { kept: _, ...rest } = record;
  return { ...rest, ...(kept && { kept: [...new Set(kept)].toSorted() }) };
}

/** As the text of an annotation. */
export function formatKept(kept: readonly Digest[]): string {
  return kept.join(' ');
}

/** Reads the text of an annotation; undefined without one. */
export function parseKept(text: string | undefined): readonly Digest[] | undefined {
  return text?.split(' ').filter(isDigest);
}

function unionOf(a: readonly Digest[] | undefined, b: readonly Digest[] | undefined): readonly Digest[] | undefined {
  return a && b && [...a, ...b];
}
