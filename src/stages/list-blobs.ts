import pLimit from 'p-limit';
import { completenessOf, type Completeness } from '../model/completeness.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { isDamage, LadingError } from '../model/errors.js';
import { contentOf, type ImageManifest } from '../model/image-manifest.js';
import { DEFAULT_LIMITS, type Limits } from '../model/limits.js';
import { isForeignLayerType } from '../model/media-types.js';
import type { PlatformSet } from '../model/platform-set.js';
import type { ContentProvider } from '../content/content-provider.js';
import { checkFound, findManifest } from '../content/read-document.js';
import type { BlobNeed, ImageTarget, ManifestNode } from './records.js';
import { Stage } from './stage.js';

/** Where content is looked for, and who is told what is and is not there. */
export interface ListBlobsOptions {
  readonly provider: ContentProvider;
  readonly platforms: PlatformSet<ImageTarget>;
  /** Layers that may not be distributed: left out on save, kept on load where they came along. */
  readonly foreignLayers: 'drop' | 'keep';
  /** Told of every node, and whether it is complete. */
  readonly onListed?: (node: ManifestNode, completeness: Completeness) => void;
  /** Told of damaged content, which then counts as missing. Without it damage is an error. */
  readonly onDamage?: (error: LadingError, digest: Digest) => void;
  readonly limits?: Limits;
}

/** How many blobs are looked up at once. */
const LOOKUPS = 16;

/**
 * Manifests to the blobs that they need: the document itself, its config, its layers. Of a manifest that is not complete
 * nothing is listed; its state is noted. Holds one manifest and one small record for each of its layers.
 */
export class ListBlobs extends Stage<ManifestNode, BlobNeed> {
  readonly #options: ListBlobsOptions;
  readonly #limits: Limits;
  readonly #lookup = pLimit(LOOKUPS);

  constructor(options: ListBlobsOptions) {
    super();
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
  }

  protected override async *each(node: ManifestNode): AsyncGenerator<BlobNeed> {
    if (node.kind === 'manifest') yield* this.#listManifest(node);
    else yield* await this.#listWhole(node);
  }

  /** An index, or content that we do not know: one blob. An opaque blob that is not here is nobody's loss. */
  async #listWhole(node: ManifestNode): Promise<BlobNeed[]> {
    const { digest } = node.descriptor;
    const isHere = await this.#isPresent(node.descriptor);
    this.#options.onListed?.(node, isHere ? { state: 'complete' } : { state: 'missing', missing: digest });
    return isHere ? [needOf(node, node.descriptor, node.kind === 'index' ? 'index' : 'layer')] : [];
  }

  async *#listManifest(node: ManifestNode): AsyncGenerator<BlobNeed> {
    const manifest = await this.#manifestOf(node);
    const present = await this.#presentOf(manifest);
    const completeness = completenessOf(node.descriptor, manifest, ({ digest }) => present.has(digest));
    this.#note(node, completeness);
    if (completeness.state !== 'complete' || manifest === undefined) return;
    yield needOf(node, node.descriptor, 'manifest');
    yield needOf(node, manifest.config, 'config');
    for (const layer of this.#layersOf(manifest, present)) yield needOf(node, layer, 'layer');
  }

  async #manifestOf({ descriptor }: ManifestNode): Promise<ImageManifest | undefined> {
    const { provider, onDamage } = this.#options;
    try {
      const manifest = await findManifest(provider, descriptor, this.#limits);
      if (manifest !== undefined) this.#checkLayers(descriptor, manifest);
      return manifest;
    } catch (error) {
      if (onDamage === undefined || !isDamage(error)) throw error;
      onDamage(error, descriptor.digest);
      return undefined;
    }
  }

  #layersOf(manifest: ImageManifest, present: ReadonlySet<Digest>): readonly Descriptor[] {
    const isDropped = (layer: Descriptor): boolean =>
      isForeignLayerType(layer.mediaType) && (this.#options.foreignLayers === 'drop' || !present.has(layer.digest));
    return manifest.layers.filter((layer) => !isDropped(layer));
  }

  async #presentOf(manifest: ImageManifest | undefined): Promise<ReadonlySet<Digest>> {
    if (manifest === undefined) return new Set();
    const foreign = manifest.layers.filter(({ mediaType }) => isForeignLayerType(mediaType));
    const looked = [...contentOf(manifest), ...foreign].map((content) =>
      this.#lookup(async () => ((await this.#isPresent(content)) ? [content.digest] : [])),
    );
    return new Set((await Promise.all(looked)).flat());
  }

  /** Whether the blob is here in its full size. A size that does not fit is damage, not absence. */
  async #isPresent(descriptor: Descriptor): Promise<boolean> {
    const { provider, onDamage } = this.#options;
    const found = await provider.stat(descriptor.digest);
    if (found === undefined) return false;
    try {
      checkFound(found, descriptor);
      return true;
    } catch (error) {
      if (onDamage === undefined || !isDamage(error)) throw error;
      onDamage(error, descriptor.digest);
      return false;
    }
  }

  #note(node: ManifestNode, completeness: Completeness): void {
    const { target, platform, descriptor, subject } = node;
    this.#options.onListed?.(node, completeness);
    if (subject !== undefined) return;
    this.#options.platforms.note(target, { digest: descriptor.digest, ...completeness, ...(platform && { platform }) });
  }

  #checkLayers({ digest }: Descriptor, { layers }: ImageManifest): void {
    if (layers.length <= this.#limits.maxLayers) return;
    throw new LadingError('ERR_LIMIT_DESCRIPTORS', `manifest ${digest} has more than ${this.#limits.maxLayers} layers`);
  }
}

function needOf(
  { target, descriptor: manifest }: ManifestNode,
  descriptor: Descriptor,
  kind: BlobNeed['kind'],
): BlobNeed {
  return { target, descriptor, kind, manifest: manifest.digest };
}
