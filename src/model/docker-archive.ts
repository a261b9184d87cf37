import type { Content } from './content.js';
import type { Descriptor } from './descriptor.js';
import { asFields, asList, asText, asTexts } from './json.js';
import { MEDIA_TYPES } from './media-types.js';

/** One image of `manifest.json` (Docker image-spec v1.2, "Combined Image JSON + Filesystem Changeset"). */
export interface DockerArchiveImage {
  /** Entry name of the image config. */
  readonly config: string;
  /** Names with tags, as written in the archive. One that is no text is no name. */
  readonly repoTags: readonly unknown[];
  /** Entry names of the layers, bottom first. */
  readonly layers: readonly string[];
}

/** The parsed `manifest.json`. Throws ERR_DOCUMENT_INVALID. */
export function parseDockerManifest(value: unknown): readonly DockerArchiveImage[] {
  return asList(value, 'manifest.json').map((item, at) => {
    const where = `manifest.json[${at}]`;
    const fields = asFields(item, where, ['Config', 'RepoTags', 'Layers']);
    return {
      config: asText(fields['Config'], `${where}.Config`),
      repoTags: asList(fields['RepoTags'] ?? [], `${where}.RepoTags`),
      layers: asTexts(fields['Layers'] ?? [], `${where}.Layers`),
    };
  });
}

/**
 * The manifest of a docker-archive's image, with the same bytes and digest as from the Engine's importer: compact JSON,
 * Docker schema 2 types, fields in this order. There are no types for layers in xz or bzip2.
 */
export function synthesiseManifest(
  config: Content,
  layers: readonly (Content & { readonly packed: string })[],
): Buffer {
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifest,
    config: describe(MEDIA_TYPES.dockerConfig, config),
    layers: layers.map((layer) => describe(LAYER_TYPES[layer.packed] ?? MEDIA_TYPES.dockerLayer, layer)),
  };
  return Buffer.from(JSON.stringify(manifest));
}

const LAYER_TYPES: Readonly<Record<string, string>> = {
  gzip: MEDIA_TYPES.dockerLayerGzip,
  zstd: MEDIA_TYPES.dockerLayerZstd,
};

function describe(mediaType: string, { digest, size }: Content): Descriptor {
  return { mediaType, digest, size };
}
