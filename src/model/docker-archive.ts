import { posix } from 'node:path';
import type { Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';
import { badEntry } from './entry-name.js';
import { LadingError, quote } from './errors.js';
import { asFields, asList, asText, asTexts, invalid } from './json.js';
import { MEDIA_TYPES } from './media-types.js';

/** One image of a docker-archive's `manifest.json` (Docker image-spec v1.2, "Combined Image JSON + Filesystem Changeset"). */
export interface DockerArchiveImage {
  /** Entry name of the image config. */
  readonly config: string;
  /** Names with tags, as the archive has them. */
  readonly repoTags: readonly string[];
  /** Entry names of the layers, bottom first. */
  readonly layers: readonly string[];
}

/** The parsed `manifest.json`. Throws ERR_DOCUMENT_INVALID. */
export function parseDockerManifest(value: unknown): readonly DockerArchiveImage[] {
  const images = asList(value, 'manifest.json').map((item, at) => {
    const where = `manifest.json[${at}]`;
    const fields = asFields(item, where, ['Config', 'RepoTags', 'Layers']);
    return {
      config: asText(fields['Config'], `${where}.Config`),
      repoTags: textsOrNull(fields['RepoTags'], `${where}.RepoTags`),
      layers: textsOrNull(fields['Layers'], `${where}.Layers`),
    };
  });
  if (images.length === 0) throw invalid('manifest.json', 'lists no image');
  return images;
}

/** Go writes null for an empty list. */
function textsOrNull(value: unknown, where: string): readonly string[] {
  return value === undefined || value === null ? [] : asTexts(value, where);
}

/** How many links one name may lead through. */
const MAX_LINKS = 16;

/** Links by name with the entry that each one means, and the names that stand in the archive more than once. */
export interface ArchiveLinks {
  readonly links: ReadonlyMap<string, string>;
  readonly repeated?: ReadonlySet<string>;
}

/**
 * The file that a name means after its links, which may lead through folders that are links. Throws ERR_ARCHIVE_FORMAT for a
 * circle, and ERR_TAR_ENTRY where the way leads through a name that stands twice.
 */
export function followLinks(name: string, archive: ArchiveLinks): string {
  let followed = posix.normalize(name);
  for (let steps = 0; steps <= MAX_LINKS; steps += 1) {
    const next = firstStep(followed, archive);
    if (next === undefined) return once(followed, archive);
    followed = next;
  }
  throw new LadingError('ERR_ARCHIVE_FORMAT', `${quote(name)} is a link that leads nowhere`);
}

/** The name behind its first link, counted from the left as a file system does; undefined where there is none. */
function firstStep(name: string, archive: ArchiveLinks): string | undefined {
  const parts = name.split('/');
  for (let end = 1; end <= parts.length; end += 1) {
    const link = parts.slice(0, end).join('/');
    const target = archive.links.get(link);
    if (target !== undefined && once(link, archive)) return posix.join(target, ...parts.slice(end));
  }
  return undefined;
}

function once(name: string, { repeated }: ArchiveLinks): string {
  if (repeated?.has(name)) throw badEntry(name, 'stands twice');
  return name;
}

/**
 * The manifest of a docker-archive's image, made as the Engine's importer makes it, so that its digest is the Engine's:
 * compact JSON, Docker schema 2 types, fields in this order.
 */
export function synthesiseManifest(config: Content, layers: readonly (Content & { readonly gzip: boolean })[]): Buffer {
  const describe = (mediaType: string, { digest, size }: Content): Descriptor => ({ mediaType, digest, size });
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifest,
    config: describe(MEDIA_TYPES.dockerConfig, config),
    layers: layers.map((layer) => describe(layer.gzip ? MEDIA_TYPES.dockerLayerGzip : MEDIA_TYPES.dockerLayer, layer)),
  };
  return Buffer.from(JSON.stringify(manifest));
}

/** A blob that is known by what it is, not by what somebody said. */
export interface Content {
  readonly digest: Digest;
  readonly size: number;
}
