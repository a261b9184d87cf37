import type { ContentProvider } from '../content/content-provider.js';
import { Documents, type OnDamage } from '../content/documents.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { diffIdsOf, platformOf, type ImageConfig } from '../model/image-config.js';
import { hasImageLayer, type ImageManifest } from '../model/image-manifest.js';
import type { Limits } from '../model/limits.js';
import {
  formatPlatformFull,
  isNamedPlatform,
  listingKeyOf,
  normalizePlatform,
  type Platform,
} from '../model/platform.js';
import { labelOfRecord, type Warning } from './reports.js';
import type { ListedNode } from './survey-images.js';

/** How to judge the configs of images. */
export interface CheckConfigsOptions {
  readonly limits: Limits;
  /** Reports a platform that differs from its descriptor's as an error, not as a warning. */
  readonly strict?: boolean;
  /** Called with each error. Without it, the first error is thrown. */
  readonly onProblem?: OnDamage;
}

/** An image that is whole: its manifest and its config. */
export interface WholeImage {
  /** The label of the image that it belongs to. */
  readonly image: string;
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

/**
 * Reads the config of every complete image among the nodes, one at a time. It must be a valid config that lists a diff
 * id for each layer. A platform that differs from its descriptor's is a warning. Throws the errors of documents,
 * ERR_DIFF_ID_MISMATCH and, if strict, ERR_PLATFORM_MISMATCH.
 */
export async function checkConfigs(
  provider: ContentProvider,
  nodes: readonly ListedNode[],
  { limits, strict = false, onProblem = raise }: CheckConfigsOptions,
): Promise<readonly Warning[]> {
  const warnings: Warning[] = [];
  for await (const image of wholeImages(provider, nodes, limits, onProblem)) {
    const { descriptor, config } = image;
    const wrong = diffIdProblem(image);
    if (wrong !== undefined) onProblem(wrong, descriptor.digest);
    const mismatch = platformMismatch(descriptor, config);
    if (mismatch !== undefined && strict) onProblem(mismatch, descriptor.digest);
    else if (mismatch !== undefined) warnings.push(platformWarning(mismatch, image.image));
  }
  return warnings;
}

function raise(error: LadingError): never {
  throw error;
}

/** The complete images among the nodes, each once, with their documents. Skips referrers and artifacts. */
export async function* wholeImages(
  provider: ContentProvider,
  nodes: readonly ListedNode[],
  limits: Limits,
  onProblem: OnDamage,
): AsyncGenerator<WholeImage> {
  const seen = new Set<string>();
  for (const { node, completeness } of nodes) {
    const { descriptor, kind, subject, target } = node;
    const key = listingKeyOf(descriptor.digest, descriptor.platform);
    if (kind !== 'manifest' || completeness.state !== 'complete' || subject !== undefined || seen.has(key)) continue;
    seen.add(key);
    const whole = await readImage(provider, descriptor, limits, onProblem);
    if (whole !== undefined) yield { image: labelOfRecord(target), ...whole };
  }
}

/** Reports damage of the config under the digest of its manifest: nothing else refers to the config. */
async function readImage(
  provider: ContentProvider,
  descriptor: Descriptor,
  limits: Limits,
  onProblem: OnDamage,
): Promise<Omit<WholeImage, 'image'> | undefined> {
  const documents = new Documents(provider, { limits, onDamage: (error) => onProblem(error, descriptor.digest) });
  const manifest = await documents.manifest(descriptor);
  const config = manifest && (await documents.imageConfig(manifest));
  return manifest && config && { descriptor, manifest, config };
}

/** The diff ids of artifacts are not checked: they name no platform, or have neither image layers nor a rootfs. */
function diffIdProblem({ descriptor, manifest, config }: WholeImage): LadingError | undefined {
  const expected = diffIdsOf(config).length;
  if (expected === manifest.layers.length || !isNamedPlatform(platformOf(config))) return undefined;
  if (config.rootfs === undefined && !hasImageLayer(manifest)) return undefined;
  return wrongDiffIds(descriptor.digest, manifest.layers.length, expected);
}

/** ERR_DIFF_ID_MISMATCH for a config that lists another number of diff ids than its manifest has layers. */
export function wrongDiffIds(digest: Digest, layers: number, diffIds: number): LadingError {
  const message = `manifest ${digest} has ${layers} layers, its config lists ${diffIds} diff ids`;
  return new LadingError('ERR_DIFF_ID_MISMATCH', message, { details: { digest } });
}

/** An ERR_PLATFORM_MISMATCH if descriptor and config contradict each other. A part that only one names is fine. */
export function platformMismatch({ digest, platform }: Descriptor, config: ImageConfig): LadingError | undefined {
  const own = platformOf(config);
  if (!isNamedPlatform(platform) || !isNamedPlatform(own) || agree(platform, own)) return undefined;
  const [listed, said] = [formatPlatformFull(platform), formatPlatformFull(own)];
  const message = `manifest ${digest}: its descriptor says ${listed}, its config says ${said}`;
  return new LadingError('ERR_PLATFORM_MISMATCH', message, { details: { digest, expected: listed, platform: said } });
}

/** The same mismatch as a warning about an image. */
export function platformWarning({ message, details }: LadingError, image: string): Warning {
  return { code: 'WARN_PLATFORM_MISMATCH', message, image, platform: String(details['expected']) };
}

function agree(a: Platform, b: Platform): boolean {
  const [one, other] = [normalizePlatform(a), normalizePlatform(b)];
  if (one.os !== other.os || one.architecture !== other.architecture) return false;
  const sameVariant = !a.variant || !b.variant || one.variant === other.variant;
  return sameVariant && (!a['os.version'] || !b['os.version'] || a['os.version'] === b['os.version']);
}
