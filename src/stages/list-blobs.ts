import { Documents } from '../content/documents.js';
import { sideBySide } from '../flow/side-by-side.js';
import { Stage } from '../flow/stage.js';
import { completenessOf, type Completeness } from '../model/completeness.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { contentOf, type ImageManifest } from '../model/image-manifest.js';
import { isForeignLayerType } from '../model/media-types.js';
import type { PlatformSet } from '../model/platform-set.js';
import { CALLBACK, check, oneOf, optionsOf, withMethods } from '../model/rules.js';
import { NODE, type BlobNeed, type ManifestNode } from './records.js';

/** Where to look blobs up, which of them to leave out, and where to report the result. */
export interface ListBlobsOptions {
  /** Damage that they tolerate counts as missing; damage that they throw ends the listing. */
  readonly documents: Documents;
  readonly platforms: PlatformSet<ImageRecord>;
  /** What to do with layers that may not be distributed: a save drops them, a load keeps those that came along. */
  readonly foreignLayers: 'drop' | 'keep';
  /** Called for every node, with whether it is complete. */
  readonly onListed?: (node: ManifestNode, completeness: Completeness) => void;
}

const ARGUMENTS = {
  options: optionsOf<ListBlobsOptions>(
    {
      documents: withMethods('Documents', ['index', 'manifest', 'config', 'has']),
      platforms: withMethods('a PlatformSet', ['wants', 'note']),
      foreignLayers: oneOf('drop', 'keep'),
      onListed: CALLBACK,
    },
    ['documents', 'platforms', 'foreignLayers'],
  ),
};

/** How many blobs are looked up at once. */
const LOOKUPS = 16;

/**
 * Turns manifests into the blobs that they need: the document itself, its config, its layers. Lists nothing for a
 * manifest that is not complete, but notes its state. Holds one manifest and one small record for each of its layers.
 */
export class ListBlobs extends Stage<ManifestNode, BlobNeed> {
  readonly #options: ListBlobsOptions;

  protected override readonly rule = NODE;

  constructor(options: ListBlobsOptions) {
    super();
    check(ARGUMENTS, { options });
    this.#options = options;
  }

  protected override async *each(node: ManifestNode): AsyncGenerator<BlobNeed> {
    if (node.kind === 'manifest') yield* this.#listManifest(node);
    else yield* await this.#listWhole(node);
  }

  /** An index, or content of an unknown type, is one blob. It is not listed if it is missing. */
  async #listWhole(node: ManifestNode): Promise<BlobNeed[]> {
    const { digest } = node.descriptor;
    const isHere = await this.#options.documents.has(node.descriptor);
    this.#options.onListed?.(node, isHere ? { state: 'complete' } : { state: 'missing', missing: digest });
    return isHere ? [needOf(node, node.descriptor, node.kind === 'index' ? 'index' : 'layer')] : [];
  }

  async *#listManifest(node: ManifestNode): AsyncGenerator<BlobNeed> {
    const manifest = await this.#options.documents.manifest(node.descriptor);
    const present = await this.#presentOf(manifest);
    const completeness = completenessOf(node.descriptor, manifest, ({ digest }) => present.has(digest));
    this.#note(node, completeness);
    if (completeness.state !== 'complete' || manifest === undefined) return;
    yield needOf(node, node.descriptor, 'manifest');
    yield needOf(node, manifest.config, 'config');
    for (const layer of this.#layersOf(manifest, present)) yield needOf(node, layer, 'layer');
  }

  #layersOf(manifest: ImageManifest, present: ReadonlySet<Digest>): readonly Descriptor[] {
    const isDropped = (layer: Descriptor): boolean =>
      isForeignLayerType(layer.mediaType) && (this.#options.foreignLayers === 'drop' || !present.has(layer.digest));
    return manifest.layers.filter((layer) => !isDropped(layer));
  }

  async #presentOf(manifest: ImageManifest | undefined): Promise<ReadonlySet<Digest>> {
    if (manifest === undefined) return new Set();
    const foreign = manifest.layers.filter(({ mediaType }) => isForeignLayerType(mediaType));
    const present = new Set<Digest>();
    await sideBySide([...contentOf(manifest), ...foreign], LOOKUPS, async (content) => {
      if (await this.#options.documents.has(content)) present.add(content.digest);
    });
    return present;
  }

  #note(node: ManifestNode, completeness: Completeness): void {
    const { target, platform, descriptor, subject } = node;
    this.#options.onListed?.(node, completeness);
    if (subject !== undefined) return;
    this.#options.platforms.note(target, { digest: descriptor.digest, ...completeness, ...(platform && { platform }) });
  }
}

function needOf(
  { target, descriptor: manifest }: ManifestNode,
  descriptor: Descriptor,
  kind: BlobNeed['kind'],
): BlobNeed {
  return { target, descriptor, kind, manifest: manifest.digest };
}
