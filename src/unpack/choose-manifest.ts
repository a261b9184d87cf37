import { Documents } from '../content/documents.js';
import type { DiffLayer } from '../layers/unpacked-layer.js';
import type { Descriptor } from '../model/descriptor.js';
import { parseDigest, type Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { diffIdsOf, type ImageConfig } from '../model/image-config.js';
import type { ImageRecord } from '../model/image-list.js';
import type { ImageManifest } from '../model/image-manifest.js';
import type { Limits } from '../model/limits.js';
import { isForeignLayerType, isIndexType, isLayerType, isManifestType } from '../model/media-types.js';
import { compatibleWith, exactly } from '../model/platform-matcher.js';
import { formatPlatformFull, type Platform } from '../model/platform.js';
import type { ManifestNode } from '../stages/records.js';
import type { SourceReader } from '../stores/store.js';
import { wrongDiffIds } from '../survey/check-configs.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { labelOfRecord } from '../survey/reports.js';
import { surveyImages, type ListedNode } from '../survey/survey-images.js';
import type { UnpackOptions } from './unpack-options.js';

/** The manifest of one platform, with all that unpacking needs of its documents. */
export interface ChosenImage {
  readonly record: ImageRecord;
  readonly manifest: Digest;
  readonly configDigest: Digest;
  readonly config: ImageConfig;
  readonly platform: Platform | undefined;
  readonly layers: readonly DiffLayer[];
}

/** The options that count here. */
export interface ChoiceOptions extends Pick<UnpackOptions, 'platform' | 'hostPlatform' | 'bundle' | 'signal'> {
  readonly limits: Limits;
}

/**
 * The manifest of the image for the platform, by the rule of a save: the complete one that suits best. Its blobs are
 * claimed. Throws ERR_PLATFORM_UNAVAILABLE, ERR_BLOB_MISSING, ERR_TARGET_UNSUPPORTED, ERR_FORMAT_UNSUPPORTED,
 * ERR_DIFF_ID_MISMATCH, and the errors of documents.
 */
export async function chooseManifest(
  reader: SourceReader,
  record: ImageRecord,
  options: ChoiceOptions,
): Promise<ChosenImage> {
  checkRoot(record.descriptor);
  await reader.claim([record.descriptor.digest]);
  const { descriptor, platform } = await findManifest(reader, record, options);
  const documents = new Documents(reader, { limits: options.limits });
  const manifest = await documents.manifest(descriptor);
  if (manifest === undefined) throw missing(record, descriptor.digest);
  checkLayerTypes(descriptor, manifest);
  const contents = [descriptor, manifest.config, ...manifest.layers];
  await reader.claim(contents.map(({ digest }) => digest));
  for (const layer of manifest.layers) if (!(await documents.has(layer))) throw missingLayer(record, layer);
  const config = await documents.imageConfig(manifest);
  if (config === undefined) throw unsupported(descriptor, 'it is an artifact and no image');
  if (config.os === 'windows') throw unsupported(descriptor, 'it is an image for Windows');
  if (options.bundle === true && config.os !== 'linux')
    throw unsupported(descriptor, 'only images for Linux are bundled');
  const layers = diffLayersOf(descriptor, manifest, config);
  return { record, manifest: descriptor.digest, configDigest: manifest.config.digest, config, platform, layers };
}

/** Damage of a document matters only if it is in the way: other platforms need not be whole. */
async function findManifest(reader: SourceReader, record: ImageRecord, options: ChoiceOptions): Promise<ManifestNode> {
  const { limits, signal } = options;
  const damage = new Map<Digest, LadingError>();
  const documents = new Documents(reader, { limits, onDamage: (error, digest) => void damage.set(digest, error) });
  const { nodes } = await surveyImages(documents, [record], { referrers: 'drop', signal });
  const images = nodes.filter(({ node }) => node.kind === 'manifest' && node.subject === undefined);
  const gone = nodes.find(({ node, completeness }) => node.kind === 'index' && completeness.state === 'missing');
  try {
    return choose(record, images, options);
  } catch (error) {
    const digest = (error as LadingError).details['digest'] ?? gone?.completeness.missing;
    const found = damage.get(digest as Digest);
    if (found !== undefined) throw found;
    throw gone === undefined ? error : missing(record, gone.node.descriptor.digest);
  }
}

function checkRoot(descriptor: Descriptor): void {
  const { mediaType } = descriptor;
  if (isIndexType(mediaType) || isManifestType(mediaType)) return;
  throw unsupported(descriptor, `it is of type ${quote(mediaType)}`);
}

function unsupported({ digest }: Descriptor, why: string): LadingError {
  const message = `${digest} cannot be unpacked: ${why}`;
  return new LadingError('ERR_TARGET_UNSUPPORTED', message, { details: { digest } });
}

/** The complete manifest that suits best. One that names no platform suits only where it stands alone. */
function choose(record: ImageRecord, images: readonly ListedNode[], options: ChoiceOptions): ManifestNode {
  const host = options.hostPlatform ?? hostPlatform();
  const [request] = parseRequest([options.platform ?? 'local'], host);
  const isBest = request !== undefined && 'bestFor' in request;
  const wanted = isBest ? request.bestFor : (request ?? host);
  const matcher = isBest ? compatibleWith(wanted) : exactly(wanted);
  const named = images.flatMap(({ node, completeness }) =>
    node.platform === undefined ? [] : [{ node, completeness, platform: node.platform }],
  );
  const fitting = named.filter(({ platform }) => matcher.matches(platform));
  const unnamed = images.length === 1 && named.length === 0 ? images : [];
  const candidates = fitting.length > 0 ? fitting : unnamed;
  const [best] = fitting
    .filter(({ completeness }) => completeness.state === 'complete')
    .toSorted((a, b) => matcher.compare(a.platform, b.platform));
  const chosen = best ?? candidates.find(({ completeness }) => completeness.state === 'complete');
  if (chosen !== undefined) return chosen.node;
  const digest = candidates.find(({ completeness }) => completeness.missing !== undefined)?.completeness.missing;
  if (digest !== undefined) throw missing(record, digest);
  throw unavailable(
    record,
    wanted,
    named.map(({ platform }) => formatPlatformFull(platform)),
  );
}

function unavailable(record: ImageRecord, wanted: Platform, available: readonly string[]): LadingError {
  const [image, platform] = [labelOfRecord(record), formatPlatformFull(wanted)];
  const has = available.length === 0 ? 'no platform at all' : available.join(', ');
  const message = `image ${image} has no ${platform}; it has ${has}`;
  return new LadingError('ERR_PLATFORM_UNAVAILABLE', message, { details: { image, platform, available } });
}

function missing(record: ImageRecord, digest: Digest, why = ''): LadingError {
  const image = labelOfRecord(record);
  const message = `image ${image} cannot be unpacked: ${digest} is missing${why}`;
  return new LadingError('ERR_BLOB_MISSING', message, { details: { image, digest } });
}

function missingLayer(record: ImageRecord, { digest, mediaType }: Descriptor): LadingError {
  const isForeign = isForeignLayerType(mediaType);
  return missing(
    record,
    digest,
    isForeign ? ', a layer that may not be distributed; without it, files would lack' : '',
  );
}

function checkLayerTypes(descriptor: Descriptor, { layers }: ImageManifest): void {
  for (const { digest, mediaType } of layers) {
    if (isLayerType(mediaType) || isForeignLayerType(mediaType)) continue;
    if (!mediaType.endsWith('+encrypted')) throw unsupported(descriptor, `a layer is of type ${quote(mediaType)}`);
    const message = `layer ${digest} is encrypted; decrypt the image first`;
    throw new LadingError('ERR_FORMAT_UNSUPPORTED', message, { details: { layer: digest, mediaType } });
  }
}

function diffLayersOf({ digest }: Descriptor, { layers }: ImageManifest, config: ImageConfig): readonly DiffLayer[] {
  const type = config.rootfs?.type;
  if (type !== 'layers') {
    const message = `the config of manifest ${digest} has no rootfs of type "layers"`;
    throw new LadingError('ERR_DOCUMENT_INVALID', message, { details: { digest } });
  }
  const diffIds = diffIdsOf(config);
  if (diffIds.length !== layers.length) throw wrongDiffIds(digest, layers.length, diffIds.length);
  return layers.map((descriptor, at) => ({ descriptor, diffId: parseDigest(diffIds[at] ?? '') }));
}
