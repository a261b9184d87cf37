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
  /**
   * Of the parts that are not kept, those that a load was to bring and its archive lacked, sorted: the others were left
   * out on purpose. Not known of records that older versions wrote, nor if they are many.
   */
  readonly missed?: readonly Digest[];
}

/** What is kept of a root. */
export type KeptPart = Pick<KeptRoot, 'kept' | 'missed'>;

/** A record of any kind with another part kept. */
export type WithKept<T extends KeptRoot> = Omit<T, keyof KeptPart> & KeptPart;

/** Most digests of `missed`: an archive may list a hundred thousand parts and have none of them. */
const MAX_MISSED = 1000;

/** What was kept before or was added, for each root: all records of one root keep the same. */
export function mergeKept<T extends KeptRoot>(
  list: readonly T[],
  before: readonly KeptRoot[],
  added: readonly KeptRoot[],
): readonly WithKept<T>[] {
  const touched = new Set(added.map(({ descriptor }) => descriptor.digest));
  const unions = new Map<Digest, Union>();
  for (const { descriptor, ...part } of [...before, ...added]) {
    const { digest } = descriptor;
    if (!touched.has(digest)) continue;
    const union = unions.get(digest) ?? { keepsAll: false, isKnown: true, kept: new Set(), missed: new Set() };
    unions.set(digest, addTo(union, part));
  }
  // Sorted once for each root: it may have many thousand names.
  const merged = new Map([...unions].map(([digest, union]) => [digest, partOf(union)]));
  return list.map((record) => {
    const part = merged.get(record.descriptor.digest);
    return part === undefined ? record : replaceKept(record, part);
  });
}

/** What several records keep of one root. */
interface Union {
  readonly keepsAll: boolean;
  /** Whether all of them tell what was missed. */
  readonly isKnown: boolean;
  readonly kept: Set<Digest>;
  readonly missed: Set<Digest>;
}

/** Adds to the sets in place: copies for each name of a root would cost the square of their number. */
function addTo(union: Union, { kept, missed }: KeptPart): Union {
  if (kept === undefined) return { ...union, keepsAll: true };
  kept.forEach((digest) => union.kept.add(digest));
  missed?.forEach((digest) => union.missed.add(digest));
  return missed === undefined ? { ...union, isKnown: false } : union;
}

function partOf({ keepsAll, isKnown, kept, missed }: Union): KeptPart {
  if (keepsAll) return {};
  return sortedPart({ kept: [...kept], ...(isKnown && { missed: [...missed].filter((digest) => !kept.has(digest)) }) });
}

/** The record with another part kept; without `kept` it keeps all. */
export function withKept<T extends KeptRoot>(record: T, part: KeptPart): WithKept<T> {
  return replaceKept(record, sortedPart(part));
}

function sortedPart({ kept, missed }: KeptPart): KeptPart {
  if (kept === undefined) return {};
  const isKnown = missed !== undefined && missed.length <= MAX_MISSED;
  return { kept: sorted(kept), ...(isKnown && { missed: sorted(missed) }) };
}

function sorted(digests: readonly Digest[]): readonly Digest[] {
  return [...new Set(digests)].toSorted();
}

function replaceKept<T extends KeptRoot>(record: T, part: KeptPart): WithKept<T> {
  const { kept: _, missed: __, ...rest } = record;
  return { ...rest, ...part };
}

/** Whether the record keeps a manifest or index below its root. */
export function keepsPart({ kept }: Pick<KeptRoot, 'kept'>, digest: Digest): boolean {
  return kept === undefined || setOf(kept).has(digest);
}

/** Whether a load was to bring the part, and did not. */
export function missesPart({ missed }: Pick<KeptRoot, 'missed'>, digest: Digest): boolean {
  return missed !== undefined && setOf(missed).has(digest);
}

/** Made once for each list: a stranger's archive may list a hundred thousand parts, and each is asked for. */
const setOf = onceFor((digests: readonly Digest[]): ReadonlySet<Digest> => new Set(digests));

/** As the text of an annotation. */
export function formatKept(kept: readonly Digest[]): string {
  return kept.join(' ');
}

/** Reads the text of an annotation; undefined without one. */
export function parseKept(text: string | undefined): readonly Digest[] | undefined {
  return text?.split(' ').filter(isDigest);
}
