import { parseDescriptor, type Descriptor } from './descriptor.js';
import { asDocument, checkedLinks, checkVersionAndType } from './image-index.js';
import { asText, invalid, listIn } from './json.js';
import { isForeignLayerType, isLayerType } from './media-types.js';

/** An OCI image manifest or Docker schema 2 manifest (image-spec, "Image Manifest"). Unknown fields are kept. */
export interface ImageManifest {
  /** 0 if the document states none, or 0. Such a document is read like one of version 2. */
  readonly schemaVersion: 0 | 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * A parsed JSON value as a manifest. `mediaType` comes from its descriptor; the document must not contradict it.
 * Throws ERR_DOCUMENT_INVALID, ERR_DESCRIPTOR_INVALID, ERR_MEDIA_TYPE.
 */
export function parseImageManifest(value: unknown, where: string, mediaType?: string): ImageManifest {
  const fields = asDocument(value, where);
  const schemaVersion = checkVersionAndType(fields, where, mediaType);
  if ('manifests' in fields) throw invalid(where, 'a manifest must not have manifests');
  const config = parseDescriptor(fields['config'], `${where}.config`);
  const layers = listIn(value, 'layers', where).map((item, at) => parseDescriptor(item, `${where}.layers[${at}]`));
  if (fields['artifactType'] !== undefined) asText(fields['artifactType'], `${where}.artifactType`);
  // Every field that the type names is checked; unknown fields stay.
  return { ...fields, schemaVersion, config, layers, ...checkedLinks(fields, where) };
}

/** Whether one of its layers is a layer of an image. An artifact has none, whatever the type of its config says. */
export function hasImageLayer({ layers }: ImageManifest): boolean {
  return layers.some(({ mediaType }) => isLayerType(mediaType) || isForeignLayerType(mediaType));
}

/** The content that a complete manifest needs: its config and every layer that may be distributed. */
export function contentOf(manifest: ImageManifest): readonly Descriptor[] {
  return [manifest.config, ...manifest.layers.filter((layer) => !isForeignLayerType(layer.mediaType))];
}
