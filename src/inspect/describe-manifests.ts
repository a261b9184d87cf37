import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageConfig } from '../model/image-config.js';
import type { ImageManifest } from '../model/image-manifest.js';
import type { Limits } from '../model/limits.js';
import { isImageConfigType } from '../model/media-types.js';
import { isNamedPlatform, type Platform } from '../model/platform.js';
import type { Warning } from '../survey/reports.js';
import type { ContentProvider } from '../content/content-provider.js';
import type { ListedNode, Survey } from '../survey/survey-images.js';
import { Documents } from '../content/documents.js';
import { contentKindOf } from '../model/content.js';

/** One manifest of an image as the store has it. */
export interface ManifestDescription {
  readonly descriptor: Descriptor;
  /** `attestation`: speaks of `subject`. `unknown`: an artifact, or its manifest is not here and names no platform. */
  readonly kind: 'image' | 'attestation' | 'unknown';
  /** Whether manifest, config and every layer that may be distributed are here. */
  readonly available: boolean;
  readonly platform?: Platform;
  readonly subject?: Digest;
  /** What of manifest, config and layers is here: bytes by digest. */
  readonly present: ReadonlyMap<Digest, number>;
  /** The document, where it is here. */
  readonly manifest?: ImageManifest;
  /** The image config with all its fields, where the manifest is that of an image and its config is here. */
  readonly config?: ImageConfig;
}

/**
 * Describes every manifest of a survey that tolerates damage, in the order of the walk. The survey told of damaged manifests;
 * a config that is damaged is told here, since a survey reads only those that it needs for a platform. Holds the documents.
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

/** Manifests are read in silence, since the survey has told what is wrong with them. */
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
  const isImage = manifest !== undefined && subject === undefined && isImageConfigType(manifest.config.mediaType);
  const config = isImage ? await configs.config(manifest.config) : undefined;
  return {
    descriptor,
    kind: kindOf(manifest, platform, subject),
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
  platform: Platform | undefined,
  subject: Digest | undefined,
): ManifestDescription['kind'] {
  if (subject !== undefined) return 'attestation';
  const isImage = manifest === undefined ? isNamedPlatform(platform) : isImageConfigType(manifest.config.mediaType);
  return isImage ? 'image' : 'unknown';
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
