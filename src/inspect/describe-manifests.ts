import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { contentKindOf } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageConfig } from '../model/image-config.js';
import { hasImageLayer, type ImageManifest } from '../model/image-manifest.js';
import type { Limits } from '../model/limits.js';
import { isImageConfigType } from '../model/media-types.js';
import { isNamedPlatform, type Platform } from '../model/platform.js';
import type { Warning } from '../survey/reports.js';
import type { ListedNode, Survey } from '../survey/survey-images.js';

/** One manifest of an image as the store has it. */
export interface ManifestDescription {
  readonly descriptor: Descriptor;
  /** `attestation`: refers to `subject`. `unknown`: an artifact, or a manifest that is not here and has no platform. */
  readonly kind: 'image' | 'attestation' | 'unknown';
  /** Whether manifest, config and every layer that may be distributed are here. */
  readonly available: boolean;
  readonly platform?: Platform;
  readonly subject?: Digest;
  /** The size in bytes of the manifest, config and layers that are here, by digest. */
  readonly present: ReadonlyMap<Digest, number>;
  /** The document, if it is here. */
  readonly manifest?: ImageManifest;
  /** The image config with all its fields, if this is an image and its config is here. */
  readonly config?: ImageConfig;
}

/**
 * Describes every manifest of a survey that tolerates damage, in the order of the walk. The survey has warned of
 * damaged manifests. It reads only the configs that it needs for a platform, so this warns of damaged configs. Holds
 * the documents.
 */
export async function describeManifests(
  provider: ContentProvider,
  { nodes }: Survey,
  limits: Limits,
): Promise<{ readonly manifests: readonly ManifestDescription[]; readonly warnings: readonly Warning[] }> {
  const manifests: ManifestDescription[] = [];
  const warnings: Warning[] = [];
  const readers = {
    provider,
    manifests: new Documents(provider, { limits, onDamage: () => {} }),
    configs: new Documents(provider, {
      limits,
      onDamage: ({ message }) => void warnings.push({ code: 'WARN_DAMAGED', message }),
    }),
  };
  for (const listed of nodes) {
    if (listed.node.kind === 'manifest') manifests.push(await describe(readers, listed));
  }
  return { manifests, warnings };
}

/** Damage of manifests is not reported again: the survey has warned of it. */
interface Readers {
  readonly provider: ContentProvider;
  readonly manifests: Documents;
  readonly configs: Documents;
}

async function describe(
  { provider, manifests, configs }: Readers,
  { node: { descriptor, platform, subject }, completeness }: ListedNode,
): Promise<ManifestDescription> {
  const manifest = await manifests.manifest(descriptor);
  const config = manifest && subject === undefined ? await configs.imageConfig(manifest) : undefined;
  return {
    descriptor,
    kind: subject === undefined ? kindOf(manifest, config, platform) : 'attestation',
    available: completeness.state === 'complete',
    ...(platform && { platform }),
    ...(subject && { subject }),
    present: await presentOf(provider, descriptor, manifest),
    ...(manifest && { manifest }),
    ...(config && { config }),
  };
}

function kindOf(
  manifest: ImageManifest | undefined,
  config: ImageConfig | undefined,
  platform: Platform | undefined,
): 'image' | 'unknown' {
  if (manifest === undefined) return isNamedPlatform(platform) ? 'image' : 'unknown';
  const isImage = config !== undefined || hasImageLayer(manifest);
  return isImage && isImageConfigType(manifest.config.mediaType) ? 'image' : 'unknown';
}

async function presentOf(
  provider: ContentProvider,
  descriptor: Descriptor,
  manifest: ImageManifest | undefined,
): Promise<ReadonlyMap<Digest, number>> {
  const present = new Map<Digest, number>();
  const content = manifest === undefined ? [] : [descriptor, manifest.config, ...manifest.layers];
  for (const { digest, size, ...rest } of content) {
    if ((await provider.stat(digest, contentKindOf(rest)))?.size === size) present.set(digest, size);
  }
  return present;
}
