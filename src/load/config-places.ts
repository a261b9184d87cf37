import type { Documents } from '../content/documents.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';

/** The root that leads to a config, and the root's own layers if it is the manifest with that config. */
export interface ConfigPlace {
  readonly root: Descriptor;
  readonly layers?: readonly Descriptor[];
}

/**
 * For each config the root that leads to it: the first that has it itself, or else the first index that leads to it.
 * Reads the manifests that are here. Holds a small record for each of them.
 */
export async function configPlaces(
  documents: Documents,
  images: readonly ImageRecord[],
): Promise<ReadonlyMap<Digest, ConfigPlace>> {
  const own = new Map<Digest, ConfigPlace>();
  const inside = new Map<Digest, ConfigPlace>();
  const roots = new Map(images.map(({ descriptor }) => [descriptor.digest, descriptor]));
  for (const root of roots.values()) {
    for await (const { descriptor, config, layers } of manifestsUnder(documents, root)) {
      if (descriptor !== root) inside.set(config, inside.get(config) ?? { root });
      else own.set(config, own.get(config) ?? { root, layers });
    }
  }
  return new Map([...inside, ...own]);
}

interface FoundManifest {
  readonly descriptor: Descriptor;
  readonly config: Digest;
  readonly layers: readonly Descriptor[];
}

async function* manifestsUnder(documents: Documents, root: Descriptor): AsyncGenerator<FoundManifest> {
  const seen = new Set<Digest>();
  const open = [root];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next.digest)) continue;
    seen.add(next.digest);
    const document = await documents.document(next);
    if (document === undefined) continue;
    if ('manifests' in document) for (const child of document.manifests) open.push(child);
    else yield { descriptor: next, config: document.config.digest, layers: document.layers };
  }
}
