import { checkDocumentSize } from '../content/check-document.js';
import { Documents } from '../content/documents.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import { layerFactsIn, layerFactsOf, unpackError } from '../layers/read-layer-facts.js';
import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import type { Content } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { synthesiseManifest, type DockerArchiveImage } from '../model/docker-archive.js';
import { LadingError, quote } from '../model/errors.js';
import { diffIdsOf, platformOf, type ImageConfig } from '../model/image-config.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import { MEDIA_TYPES } from '../model/media-types.js';
import type { ArchiveContents, ArchiveFile } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';
import type { ArchiveNames } from './archive-names.js';
import { PASSED_BY } from './follow-layout-links.js';
import { storeBytes } from './store-bytes.js';

/** The limits for documents, and the reader of names. */
export interface DockerArchiveOptions {
  readonly limits: Limits;
  readonly names: ArchiveNames;
}

/**
 * The images of a docker-archive. Makes and stores their manifests, which such an archive lacks. Checks layers against
 * the diff ids, and a config against its name if that is a digest. Throws ERR_ARCHIVE_FORMAT, ERR_DOCUMENT_INVALID,
 * ERR_BLOB_MISSING, ERR_DIFF_ID_MISMATCH, ERR_DIGEST_MISMATCH.
 */
export async function dockerArchiveTargets(
  session: DestinationSession,
  contents: ArchiveContents,
  images: readonly DockerArchiveImage[],
  { limits, names }: DockerArchiveOptions,
): Promise<readonly ImageRecord[]> {
  const targets: ImageRecord[] = [];
  for (const image of images) {
    const descriptor = await rootOf(session, contents, image, limits);
    const given = await names.ofTags(image.repoTags, descriptor.digest);
    if (given.length === 0) targets.push({ descriptor });
    for (const name of given) targets.push({ name, descriptor });
  }
  return targets;
}

/** The config of the image, and what it says. Throws as above. */
export async function readConfig(
  session: DestinationSession,
  contents: ArchiveContents,
  image: DockerArchiveImage,
  limits: Limits,
): Promise<{ readonly config: Content; readonly document: ImageConfig }> {
  const config = await contentOf(session, contents, image.config);
  const descriptor = { ...config, mediaType: MEDIA_TYPES.dockerConfig };
  checkDocumentSize(descriptor, limits);
  checkConfigName(image.config, config.digest);
  const document = await new Documents(session, { limits }).config(descriptor);
  if (document === undefined) throw missing(image.config);
  return { config, document };
}

type Layer = Content & LayerFacts;

/** The descriptor of the image's manifest, which this makes and stores. Throws as above. */
export async function rootOf(
  session: DestinationSession,
  contents: ArchiveContents,
  image: DockerArchiveImage,
  limits: Limits,
): Promise<Descriptor> {
  const { config, document } = await readConfig(session, contents, image, limits);
  const layers: Layer[] = [];
  for (const name of image.layers) {
    const content = await contentOf(session, contents, name);
    const facts = contents.layers.get(content.digest) ?? (await factsOf(session, content, limits));
    contents.layers.set(content.digest, facts);
    layers.push({ ...content, ...facts });
  }
  checkDiffIds(document, layers);
  const bytes = synthesiseManifest(
    config,
    layers.map((layer) => ({ ...layer, packed: layer.compression })),
  );
  const platform = platformOf(document);
  return {
    mediaType: MEDIA_TYPES.dockerManifest,
    ...(await storeBytes(session, contents, bytes, 'manifest')),
    ...(platform && { platform }),
  };
}

/** The content under a name of `manifest.json`: a file of the archive, also through links, or a blob by its digest. */
async function contentOf(
  session: DestinationSession,
  contents: ArchiveContents,
  name: string,
): Promise<Content & Partial<ArchiveFile>> {
  if (name.split('/').includes('..')) {
    throw new LadingError('ERR_ARCHIVE_FORMAT', `manifest.json names ${quote(name)}, which is not in the archive`);
  }
  const entry = followLinks(plainEntryName(name), contents);
  const file = contents.files.get(entry);
  if (file?.bytes !== undefined) await storeBytes(session, contents, file.bytes, 'blob');
  if (file !== undefined) return file;
  const digest = digestOfEntry(entry);
  const found = digest && (await session.stat(digest, 'blob'));
  if (digest === undefined || found === undefined) throw missing(name, contents.hasLeft?.(entry));
  return { digest, size: found.size };
}

function missing(name: string, hasLeft = false): LadingError {
  const why = hasLeft ? PASSED_BY : 'is not in the archive; it was cut or changed';
  const message = `manifest.json names ${quote(name)}, which ${why}`;
  return new LadingError('ERR_BLOB_MISSING', message, { details: { entry: name } });
}

/** `<hex>.json`, as docker, skopeo and others name a config. Nothing else in such an archive confirms its bytes. */
const CONFIG_NAME = /(?:^|\/)([0-9a-f]{64})\.json$/;

function checkConfigName(name: string, actual: Digest): void {
  const hex = CONFIG_NAME.exec(name)?.[1];
  if (hex === undefined || actual === `sha256:${hex}`) return;
  const message = `config ${quote(name)}: content hashes to ${actual}; the archive is damaged or was changed, fetch it again`;
  throw new LadingError('ERR_DIGEST_MISMATCH', message, { details: { digest: `sha256:${hex}`, actual } });
}

/** The diff id of an uncompressed layer is its digest. A layer that was not unpacked cannot be checked. */
function checkDiffIds(config: ImageConfig, layers: readonly Layer[]): void {
  const expected = diffIdsOf(config);
  if (expected.length !== layers.length) {
    const message = `the config lists ${expected.length} diff ids, manifest.json ${layers.length} layers`;
    throw new LadingError('ERR_DIFF_ID_MISMATCH', message);
  }
  for (const [at, layer] of layers.entries()) {
    if (layer.error !== undefined) throw unpackError(layer.digest, layer.error);
    const actual = layer.compression === 'none' ? layer.digest : layer.diffId;
    if (actual === undefined || actual === expected[at]) continue;
    const message = `layer ${at + 1} unpacks to ${actual}, but the config says ${quote(String(expected[at]))}`;
    throw new LadingError('ERR_DIFF_ID_MISMATCH', message, { details: { expected: expected[at], actual } });
  }
}

async function factsOf(
  session: DestinationSession,
  { digest, bytes }: Content & Partial<ArchiveFile>,
  limits: Limits,
): Promise<LayerFacts> {
  return bytes === undefined ? await layerFactsOf(session, digest, limits) : await layerFactsIn([bytes], limits);
}
