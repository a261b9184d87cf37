import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { isDamage } from '../model/errors.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import type { ContentProvider } from './ports.js';
import { findIndex, findManifest } from './read-document.js';

/**
 * Every digest that the roots lead to, the roots included, whether it is here or not. A document that is missing or damaged
 * leads nowhere. `skip` cuts a branch off. Holds one digest for each blob, and one document.
 */
export async function closureOf(
  provider: ContentProvider,
  roots: Iterable<Descriptor>,
  skip: (descriptor: Descriptor) => boolean = () => false,
): Promise<Set<Digest>> {
  const reached = new Set<Digest>();
  const open = [...roots];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next.digest) || skip(next)) continue;
    reached.add(next.digest);
    open.push(...(await childrenOf(provider, next)));
  }
  return reached;
}

/** Manifests of an image that count as not listed by its index: what `rm --platform` takes away. */
export interface Cut {
  readonly root: Digest;
  readonly manifests: ReadonlySet<Digest>;
}

/** The closure of the roots, where the cut is left out of its own root and of no other. */
export async function closureWithout(
  provider: ContentProvider,
  roots: readonly Descriptor[],
  cut: Cut | undefined,
): Promise<Set<Digest>> {
  if (cut === undefined) return await closureOf(provider, roots);
  const whole = await closureOf(
    provider,
    roots.filter(({ digest }) => digest !== cut.root),
  );
  const rest = roots.filter(({ digest }) => digest === cut.root);
  const reduced = await closureOf(provider, rest, ({ digest }) => cut.manifests.has(digest));
  return new Set([...whole, ...reduced]);
}

async function childrenOf(provider: ContentProvider, descriptor: Descriptor): Promise<readonly Descriptor[]> {
  try {
    if (isIndexType(descriptor.mediaType)) return (await findIndex(provider, descriptor))?.manifests ?? [];
    if (!isManifestType(descriptor.mediaType)) return [];
    const manifest = await findManifest(provider, descriptor);
    return manifest === undefined ? [] : [manifest.config, ...manifest.layers];
  } catch (error) {
    if (isDamage(error)) return [];
    throw error;
  }
}
