import type { Descriptor } from '../../src/model/descriptor.js';
import { encodedOf } from '../../src/model/digest.js';
import { layoutArchive, layoutEntries, type LayoutImage, type LayoutOptions } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { BlobSet, removeBlob } from '../fixtures/blob-set.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { NAME } from '../fixtures/example.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { endBlocks, rawEntry, rawHeader, tarOf } from '../fixtures/tar-builder.js';

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

/** The image of every archive here. */
export class SmallStock {
  readonly blobs = new BlobSet();
  readonly #image = buildMultiPlatform(this.blobs, PLATFORMS, { layers: 1, layerBytes: 100, seed: 'differing' });
  readonly root = this.#image.root;

  manifest(platform = 'linux/amd64'): Descriptor {
    const found = this.#image.manifests.get(platform);
    if (found === undefined) throw new Error(`the image has no ${platform}`);
    return found;
  }

  /** The layout archive under other names, or with other options. */
  async layout(
    image: Partial<LayoutImage> = { name: NAME, refName: '1' },
    options: LayoutOptions = {},
  ): Promise<Buffer> {
    return await layoutArchive([{ root: this.root, ...image }], this.blobs, options);
  }

  /** The layout archive with more entries before its end blocks. */
  async layoutWith(...entries: readonly Buffer[]): Promise<Buffer> {
    return Buffer.concat([(await this.layout()).subarray(0, -endBlocks().length), ...entries, endBlocks()]);
  }

  /** The layout archive with one entry's body replaced. */
  async layoutBut(name: string, change: (body: Buffer) => Buffer | string): Promise<Buffer> {
    const entries = layoutEntries([{ root: this.root, name: NAME, refName: '1' }], this.blobs);
    return await tarOf(
      entries.map((entry) =>
        entry.name === name ? { ...entry, body: Buffer.from(change(Buffer.from(entry.body ?? [])) as Buffer) } : entry,
      ),
    );
  }

  /** A docker-archive of one platform. */
  async docker(tags = ['example/app:1'], change = (layer: Buffer): Buffer => layer): Promise<Buffer> {
    const image = dockerImageOf(this.blobs, this.manifest(), tags);
    return await dockerArchive([{ ...image, layers: image.layers.map(change) }]);
  }

  /** The layout archive without one manifest. */
  async withoutManifest(): Promise<Buffer> {
    const blobs = new BlobSet(this.blobs);
    removeBlob(blobs, this.manifest('linux/arm64'));
    return await layoutArchive([{ root: this.root, name: NAME, refName: '1' }], blobs);
  }

  /** An index whose one child has a platform object without fields. */
  async unnamedPlatform(): Promise<Buffer> {
    const child = { ...this.manifest(), platform: {} } as Descriptor;
    return await this.layout({ root: buildIndex(this.blobs, [child]), name: NAME, refName: '1' });
  }

  /** The root is a manifest for an older arm. */
  async singleVariant(): Promise<Buffer> {
    const root = buildManifest(this.blobs, { platform: 'linux/arm/v6', layers: 1, layerBytes: 100, seed: 'variant' });
    return await this.layout({ root, name: NAME, refName: '1' });
  }

  /** A layout whose documents have Docker's media types. */
  async dockerTypes(): Promise<Buffer> {
    const options = { layers: 1, layerBytes: 100, seed: 'docker types', mediaTypes: 'docker' } as const;
    return await this.layout({
      root: buildMultiPlatform(this.blobs, PLATFORMS, options).root,
      name: NAME,
      refName: '1',
    });
  }

  /** A manifest.json beside the layout that names another image. */
  async disagreeing(): Promise<Buffer> {
    const { config, layers = [] } = this.blobs.links(this.manifest().digest);
    const paths = layers.map(({ digest }) => blobPath(digest));
    const manifestJson = [{ Config: config && blobPath(config.digest), RepoTags: ['example/other:2'], Layers: paths }];
    return await this.layout({ name: NAME, refName: '1' }, { manifestJson });
  }

  /** Two images of one name. */
  async sameName(): Promise<Buffer> {
    const images = [this.root, this.manifest()].map((root) => ({ root, name: NAME, refName: '1' }));
    return await layoutArchive(images, this.blobs);
  }

  /** A layer whose content does not match its digest. */
  async flippedLayer(): Promise<Buffer> {
    const [layer] = this.blobs.links(this.manifest().digest).layers ?? [];
    if (layer === undefined) throw new Error('the image has no layer');
    return await this.layoutBut(blobPath(layer.digest), (body) =>
      Buffer.concat([body.subarray(0, -1), Buffer.from('x')]),
    );
  }

  /** A docker-archive whose config was changed after it was named. */
  async changedConfig(): Promise<Buffer> {
    const { config } = this.blobs.links(this.manifest().digest);
    const name = `${config === undefined ? '' : encodedOf(config.digest)}.json`;
    const archive = await this.docker();
    const at = archive.indexOf('PATH=/bin', archive.indexOf(name));
    return Buffer.concat([archive.subarray(0, at), Buffer.from('PATH=/sin'), archive.subarray(at + 9)]);
  }
}

/** Header of an empty file with odd fields, and a file. */
export const oddEntries = {
  device: rawHeader({ name: 'device', typeflag: '3' }),
  absolute: rawEntry({ name: '/etc/example' }, 'x'),
  badOwner: rawHeader({ name: 'file', uid: '0008000' }),
  otherCase: rawEntry({ name: 'INDEX.JSON' }, '{}'),
} as const;
