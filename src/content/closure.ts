import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { Documents } from './documents.js';

/**
 * Every digest that the roots refer to, directly or through other documents, the roots included, whether it is here or
 * not. A missing document has no children; nor has a damaged one, if the documents tolerate damage. `skip` leaves a
 * branch out. Holds one digest for each blob, and one document.
 */
export async function closureOf(
  documents: Documents,
  roots: Iterable<Descriptor>,
  skip: (descriptor: Descriptor) => boolean = () => false,
): Promise<Set<Digest>> {
  const reached = new Set<Digest>();
  const open = [...roots];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next.digest) || skip(next)) continue;
    reached.add(next.digest);
    open.push(...(await documents.children(next)));
  }
  return reached;
}

/** Manifests of an image that count as not listed by its index: those that `rm --platform` removes. */
export interface Cut {
  readonly root: Digest;
  readonly manifests: ReadonlySet<Digest>;
}

/** The closure of the roots. The manifests of the cut are left out of the cut's own root only. */
export async function closureWithout(
  documents: Documents,
  roots: readonly Descriptor[],
  cut: Cut | undefined,
): Promise<Set<Digest>> {
  if (cut === undefined) return await closureOf(documents, roots);
  const whole = await closureOf(
    documents,
    roots.filter(({ digest }) => digest !== cut.root),
  );
  const rest = roots.filter(({ digest }) => digest === cut.root);
  const reduced = await closureOf(documents, rest, ({ digest }) => cut.manifests.has(digest));
  return new Set([...whole, ...reduced]);
}
