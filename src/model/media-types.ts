/** Media types of the OCI image-spec and of Docker's schema 2. */
export const MEDIA_TYPES = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
} as const;

const INDEXES: readonly string[] = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerManifestList];
const MANIFESTS: readonly string[] = [MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest];
const IMAGE_CONFIGS: readonly string[] = [MEDIA_TYPES.ociConfig, MEDIA_TYPES.dockerConfig];
const LAYERS = /^application\/vnd\.(oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)([.+](gzip|zstd))?$/;
const FOREIGN_LAYERS =
  /^application\/vnd\.(oci\.image\.layer\.nondistributable\.v1\.tar|docker\.image\.rootfs\.foreign\.diff\.tar)([.+](gzip|zstd))?$/;

/** Whether a document of this type lists manifests (OCI index, Docker manifest list). */
export function isIndexType(mediaType: string): boolean {
  return INDEXES.includes(mediaType);
}

/** Whether a document of this type has a config and layers. */
export function isManifestType(mediaType: string): boolean {
  return MANIFESTS.includes(mediaType);
}

/** Whether the type is that of an image config, which contains platform and diff ids. */
export function isImageConfigType(mediaType: string): boolean {
  return IMAGE_CONFIGS.includes(mediaType);
}

/** Whether an older loader can unpack a layer of this type. */
export function isLayerType(mediaType: string): boolean {
  return LAYERS.test(mediaType);
}

/** Whether the layer must not be distributed. A save leaves it out (image-spec, "Non-Distributable Layers"). */
export function isForeignLayerType(mediaType: string): boolean {
  return FOREIGN_LAYERS.test(mediaType);
}

/** The compression of a layer of this type; undefined for other types. */
export function layerCompressionOf(mediaType: string): 'none' | 'gzip' | 'zstd' | undefined {
  const match = LAYERS.exec(mediaType) ?? FOREIGN_LAYERS.exec(mediaType);
  // The last group of both patterns matches only these two words.
  return match === null ? undefined : ((match[3] as 'gzip' | 'zstd' | undefined) ?? 'none');
}
