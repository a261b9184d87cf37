import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { KeptRoot } from '../model/kept-parts.js';
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

/** Every digest that the images of a list need: what is not kept of a root is left out of that root only. */
export async function closureOfKept(documents: Documents, roots: readonly KeptRoot[]): Promise<Set<Digest>> {
  const whole = roots.filter(({ kept }) => kept === undefined).map(({ descriptor }) => descriptor);
  const reached = await closureOf(documents, whole);
  for (const { descriptor, kept } of partsOf(roots)) {
    const staying = new Set([descriptor.digest, ...kept]);
    const part = await closureOf(documents, [descriptor], ({ digest }) => !staying.has(digest));
    for (const digest of part) reached.add(digest);
  }
  return reached;
}

/** The roots of which a part is kept, each part once: an image may have a thousand names. */
function partsOf(roots: readonly KeptRoot[]): Iterable<Required<Omit<KeptRoot, 'missed'>>> {
  const parts = new Map<string, Required<Omit<KeptRoot, 'missed'>>>();
  for (const { descriptor, kept } of roots)
    if (kept !== undefined) parts.set(`${keyOf(descriptor)} ${kept.join(' ')}`, { descriptor, kept });
  return parts.values();
}
