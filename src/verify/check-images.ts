import type { ContentProvider } from '../content/content-provider.js';
import type { OnDamage } from '../content/documents.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import { mayNotRead } from '../files/storage-error.js';
import { layerFactsOf, unpackError } from '../layers/read-layer-facts.js';
import { throwIfAborted } from '../model/aborted.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, isDigest, type Digest } from '../model/digest.js';
import { LadingError, type ErrorCode } from '../model/errors.js';
import { diffIdsOf } from '../model/image-config.js';
import type { Limits } from '../model/limits.js';
import { layerCompressionOf } from '../model/media-types.js';
import { formatPlatformFull } from '../model/platform.js';
import { checkConfigs, wholeImages, type WholeImage } from '../survey/check-configs.js';
import type { Warning } from '../survey/reports.js';
import type { ListedNode } from '../survey/survey-images.js';

/** What to check of images beyond the digests of their blobs. */
export interface CheckImagesOptions {
  readonly limits: Limits;
  readonly deep?: boolean;
  readonly strict?: boolean;
  readonly signal?: AbortSignal;
  /** Returns what is known of a layer, for a provider that has no layers' bytes. */
  readonly factsOf?: (digest: Digest) => Promise<LayerFacts | undefined>;
}

/** One fault that a verification found. */
export interface Problem {
  readonly code: ErrorCode;
  readonly digest?: Digest;
  readonly message: string;
  /** Set for a blob that this user may not read: whether it is damaged is not known. */
  readonly unreadable?: true;
}

/** An error as a problem of a report. */
export function problemOf(error: LadingError, digest: Digest): Problem {
  const { code, message } = error;
  return { code, digest, message, ...(mayNotRead(error) && { unreadable: true }) };
}

/** What the checks found beyond damaged blobs. */
export interface Findings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Warning[];
}

/**
 * Checks the configs of the complete images among the nodes. With `deep` it unpacks their layers too: each must be
 * compressed as its media type says, and have the diff id that the config lists for it. Holds one image's documents,
 * and a small record for each layer.
 */
export async function checkImages(
  provider: ContentProvider,
  nodes: readonly ListedNode[],
  options: CheckImagesOptions,
): Promise<Findings> {
  const found = new Map<string, Problem>();
  const onProblem: OnDamage = (error, digest) =>
    void found.set(`${error.code} ${error.message}`, problemOf(error, digest));
  const warnings = [...(await checkConfigs(provider, nodes, { ...options, onProblem }))];
  if (options.deep === true) warnings.push(...(await checkLayers(provider, nodes, { ...options, onProblem })));
  return { problems: [...found.values()], warnings };
}

async function checkLayers(
  provider: ContentProvider,
  nodes: readonly ListedNode[],
  options: CheckImagesOptions & { readonly onProblem: OnDamage },
): Promise<readonly Warning[]> {
  const { limits, signal, onProblem } = options;
  const unchecked = new Map<string, Warning>();
  const known = new Map<Digest, LayerFacts | undefined>();
  const { factsOf = async (digest) => await readFacts(provider, digest, limits) } = options;
  for await (const image of wholeImages(provider, nodes, limits, () => {})) {
    for (const [at, layer] of image.manifest.layers.entries()) {
      throwIfAborted(signal, 'the verification');
      if (layerCompressionOf(layer.mediaType) === undefined) continue;
      if (!known.has(layer.digest)) known.set(layer.digest, await factsOf(layer.digest));
      const facts = known.get(layer.digest);
      const problem = facts && judgeLayer(image, at, layer, facts);
      if (typeof problem === 'string') unchecked.set(problem, uncheckedWarning(problem, image));
      else if (problem !== undefined) onProblem(problem, layer.digest);
    }
  }
  return [...unchecked.values()];
}

function uncheckedWarning(message: string, { image, descriptor: { platform } }: WholeImage): Warning {
  const shown = platform && { platform: formatPlatformFull(platform) };
  return { code: 'WARN_LAYER_UNCHECKED', message, image, ...shown };
}

/** A layer that may not be distributed need not be here. */
async function readFacts(provider: ContentProvider, digest: Digest, limits: Limits): Promise<LayerFacts | undefined> {
  return (await provider.stat(digest, 'blob')) && (await layerFactsOf(provider, digest, limits));
}

/** Layers in these have the type of a plain layer: a docker-archive may have them, and no type names them. */
const HAVE_NO_TYPE: readonly LayerFacts['compression'][] = ['xz', 'bzip2'];

/** Returns what is wrong with a layer, or a text that says why it could not be checked. */
function judgeLayer(
  { config }: WholeImage,
  at: number,
  { digest, mediaType }: Descriptor,
  { compression, diffId, error }: LayerFacts,
): LadingError | string | undefined {
  const promised = layerCompressionOf(mediaType);
  if (compression !== promised && (promised !== 'none' || !HAVE_NO_TYPE.includes(compression))) {
    const message = `layer ${digest}: its type says compression ${promised}, its bytes say ${compression}`;
    return new LadingError('ERR_MEDIA_TYPE', message, { details: { digest, expected: promised, compression } });
  }
  if (error?.code === 'ERR_COMPRESSION_UNSUPPORTED') return `layer ${digest} was not unpacked: it ${error.message}`;
  if (error !== undefined) return unpackError(digest, error);
  const expected = diffIdsOf(config)[at];
  const actual = compression === 'none' ? digest : diffId;
  // A different number of diff ids is a problem that `checkConfigs` reports.
  if (expected === undefined || actual === undefined || actual === expected) return undefined;
  if (isDigest(expected) && algorithmOf(expected) !== algorithmOf(actual)) {
    return `layer ${digest} was not compared with its diff id, which is of another algorithm`;
  }
  const message = `layer ${digest} unpacks to ${actual}, its config says ${expected}`;
  return new LadingError('ERR_DIFF_ID_MISMATCH', message, { details: { digest, expected, actual } });
}
