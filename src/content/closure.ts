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
  const walked = new Set<string>();
  const open = [...roots];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (walked.has(keyOf(next)) || skip(next)) continue;
    walked.add(keyOf(next));
    reached.add(next.digest);
    const document = await documents.document(next);
    if (document === undefined) continue;
    if ('manifests' in document) for (const child of document.manifests) open.push(child);
    // No load reads a config or a layer as a document, whatever its type says, so none is read here.
    else for (const { digest } of [document.config, ...document.layers]) reached.add(digest);
  }
  return reached;
}

/** With type and size: an image that lists another one's manifest as a layer must not hide what that leads to. */
function keyOf({ digest, mediaType, size }: Descriptor): string {
  return `${digest} ${size} ${mediaType}`;
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
