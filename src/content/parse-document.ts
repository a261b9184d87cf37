import { inTurns, QUICK_PER_TURN } from '../flow/in-turns.js';
import { DOCKER_MANIFEST_ENTRY, INDEX_ENTRY, THIN_ENTRY } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import { parseDockerManifest, type DockerArchiveImage } from '../model/docker-archive.js';
import { LadingError, quote } from '../model/errors.js';
import { parseImageConfig, type ImageConfig } from '../model/image-config.js';
import { parseImageIndex, type ImageIndex } from '../model/image-index.js';
import { parseImageManifest, type ImageManifest } from '../model/image-manifest.js';
import type { Limits } from '../model/limits.js';
import { isIndexType } from '../model/media-types.js';
import { refuseDirForm } from '../model/not-an-image.js';
import { parseThinContent, parseThinHead, wrongThin, type ThinList } from '../model/thin-list.js';
import { parseStrictJson } from './strict-json.js';

/*
 * All JSON enters through these functions. They throw for anything but strict JSON of the right shape:
 * ERR_DOCUMENT_INVALID, ERR_DESCRIPTOR_INVALID, ERR_MEDIA_TYPE, ERR_LIMIT_DEPTH.
 */

/** Parses the bytes of an index. `mediaType` is that of their descriptor. */
export async function parseIndexBytes(
  bytes: Uint8Array,
  where: string,
  limits: Limits,
  mediaType?: string,
): Promise<ImageIndex> {
  return parseImageIndex(await parseStrictJson(bytes, where, limits.maxJsonDepth), where, mediaType);
}

/** Parses a layout's `index.json`, which has no descriptor. Throws ERR_LIMIT_DOCUMENT for a descriptor too large. */
export async function parseLayoutIndex(bytes: Uint8Array, limits: Limits): Promise<ImageIndex> {
  const index = await parseIndexBytes(bytes, INDEX_ENTRY, limits);
  if (index.mediaType !== undefined && !isIndexType(index.mediaType)) {
    throw new LadingError('ERR_MEDIA_TYPE', `${INDEX_ENTRY}: ${quote(index.mediaType)} is not the type of an index`);
  }
  for await (const descriptor of inTurns(index.manifests, QUICK_PER_TURN)) {
    const size = Buffer.byteLength(JSON.stringify(descriptor));
    if (size <= limits.maxDescriptorBytes) continue;
    const message = `${INDEX_ENTRY}: the descriptor of ${descriptor.digest} has more than ${limits.maxDescriptorBytes} bytes`;
    throw new LadingError('ERR_LIMIT_DOCUMENT', message, { details: { digest: descriptor.digest, size } });
  }
  return index;
}

/** Parses the bytes of a manifest. Throws also ERR_LIMIT_DESCRIPTORS, for too many layers. */
export async function parseManifestBytes(
  bytes: Uint8Array,
  where: string,
  limits: Limits,
  mediaType?: string,
): Promise<ImageManifest> {
  const manifest = parseImageManifest(await parseStrictJson(bytes, where, limits.maxJsonDepth), where, mediaType);
  if (manifest.layers.length <= limits.maxLayers) return manifest;
  throw new LadingError('ERR_LIMIT_DESCRIPTORS', `${where} has more than ${limits.maxLayers} layers`);
}

/** Parses the bytes of an image config. */
export async function parseConfigBytes(bytes: Uint8Array, where: string, limits: Limits): Promise<ImageConfig> {
  return parseImageConfig(await parseStrictJson(bytes, where, limits.maxJsonDepth), where);
}

/**
 * Parses the bytes of `lading-thin.json`. Its base is a list of different digests in their order, and not empty. Throws
 * also ERR_FORMAT_UNSUPPORTED for another version, ERR_ARCHIVE_FORMAT, ERR_LIMIT_DESCRIPTORS.
 */
export async function parseThinList(bytes: Uint8Array, limits: Limits): Promise<ThinList> {
  const { base: listed, ...head } = parseThinHead(await parseStrictJson(bytes, THIN_ENTRY, limits.maxJsonDepth));
  if (listed.length === 0) throw wrongThin('leaves nothing out');
  if (listed.length > limits.maxDescriptors)
    throw new LadingError('ERR_LIMIT_DESCRIPTORS', `${THIN_ENTRY} lists more than ${limits.maxDescriptors} blobs`);
  const base = new Map<Digest, number>();
  let before = '';
  for await (const item of inTurns(listed, QUICK_PER_TURN)) {
    const { digest, size } = parseThinContent(item, `${THIN_ENTRY}.base[${base.size}]`);
    if (digest <= before) throw wrongThin(`lists ${digest} out of order, or twice`, { digest });
    base.set(digest, size);
    before = digest;
  }
  return { ...head, base };
}

/** Parses the bytes of a docker-archive's `manifest.json`. */
export async function parseDockerManifestBytes(
  bytes: Uint8Array,
  limits: Limits,
): Promise<readonly DockerArchiveImage[]> {
  const value = await parseStrictJson(bytes, DOCKER_MANIFEST_ENTRY, limits.maxJsonDepth);
  refuseDirForm(value);
  return parseDockerManifest(value);
}
