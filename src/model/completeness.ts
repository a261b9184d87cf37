import type { Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';
import { contentOf, type ImageManifest } from './image-manifest.js';

/**
 * The state of one platform of an image: `absent` (the index does not list it), `missing` (listed, but some of its
 * content is not here), `complete`, or `excluded` (a filter left it out).
 */
export type PlatformState = 'absent' | 'missing' | 'complete' | 'excluded';

/** The state of one manifest, and the first digest that is not here. */
export interface Completeness {
  readonly state: 'absent' | 'missing' | 'complete';
  readonly missing?: Digest;
}

/**
 * The rule of completeness for save, load, inspect and verify: a manifest is complete when it, its config and every
 * layer that may be distributed are here. `manifest` is undefined if its document is not here.
 */
export function completenessOf(
  descriptor: Descriptor | undefined,
  manifest: ImageManifest | undefined,
  isPresent: (content: Descriptor) => boolean,
): Completeness {
  if (descriptor === undefined) return { state: 'absent' };
  if (manifest === undefined) return { state: 'missing', missing: descriptor.digest };
  const missing = contentOf(manifest).find((content) => !isPresent(content));
  return missing === undefined ? { state: 'complete' } : { state: 'missing', missing: missing.digest };
}
