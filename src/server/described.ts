import { describeImages, type ImageDescription } from '../index.js';
import type { ServerContext } from './context.js';

/** Describes the images that `texts` mean, or all of them without texts, for the server's host. */
export function described(
  { store, hostPlatform, cache }: ServerContext,
  texts: readonly string[] = [],
): AsyncIterable<ImageDescription> {
  return describeImages(store, texts, { hostPlatform, cache });
}
