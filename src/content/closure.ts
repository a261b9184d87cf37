import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { isDamage } from '../model/errors.js';
import { STORED_LIMITS, type Limits } from '../model/limits.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import type { ContentProvider } from './content-provider.js';
import { findIndex, findManifest } from './read-document.js';

/** How a closure is looked for. */
export interface ClosureOptions {
  /** STORED_LIMITS unless given, since what a store has accepted was judged before: nothing that an image needs is left out. */
  readonly limits?: Limits;
  /** Cuts a branch off. */
  readonly skip?: (descriptor: Descriptor) => boolean;
}

/**
 * Every digest that the roots lead to, the roots included, whether it is here or not. A document that is missing or damaged
 * leads nowhere; one that cannot be read throws ERR_STORAGE_IO, since it may lead anywhere. Holds one digest for each blob,
 * and one document.
 */
export async function closureOf(
  provider: ContentProvider,
  roots: Iterable<Descriptor>,
  { limits = STORED_LIMITS, skip = () => false }: ClosureOptions = {},
): Promise<Set<Digest>> {
  const reached = new Set<Digest>();
  const open = [...roots];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next.digest) || skip(next)) continue;
    reached.add(next.digest);
    open.push(...(await childrenOf(provider, next, limits)));
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
  const reduced = await closureOf(provider, rest, { skip: ({ digest }) => cut.manifests.has(digest) });
  return new Set([...whole, ...reduced]);
}

async function childrenOf(
  provider: ContentProvider,
  descriptor: Descriptor,
  limits: Limits,
): Promise<readonly Descriptor[]> {
  try {
    if (isIndexType(descriptor.mediaType)) return (await findIndex(provider, descriptor, limits))?.manifests ?? [];
    if (!isManifestType(descriptor.mediaType)) return [];
    const manifest = await findManifest(provider, descriptor, limits);
    return manifest === undefined ? [] : [manifest.config, ...manifest.layers];
  } catch (error) {
    if (isDamage(error)) return [];
    throw error;
  }
}
