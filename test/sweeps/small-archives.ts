import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/model/descriptor.js';
import { layoutArchive, type LayoutOptions } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { dockerArchive } from '../fixtures/docker-archive-builder.js';
import { NAME } from '../fixtures/example.js';
import { buildImage } from '../fixtures/manifest-builder.js';

/** An image of one platform and one layer of a few bytes, so that its archive has few bytes to sweep over. */
export interface SmallImage {
  readonly blobs: BlobSet;
  readonly root: Descriptor;
}

const LAYER = Buffer.from('layer\n');
const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [new BlobSet().add(LAYER)] },
  }),
);

/** Builds the image: manifest, config and layer of less than 512 bytes each. */
export function smallImage(): SmallImage {
  const blobs = new BlobSet();
  // Without the fields that no code reads, the archive is smaller.
  const configExtra = { created: undefined, config: undefined, history: undefined };
  const root = buildImage(blobs, [LAYER], { platform: 'linux/amd64', compression: 'none', configExtra });
  return { blobs, root };
}

/** The layout archive of the small image: five entries, 6 KiB. */
export async function smallLayout(options: LayoutOptions = {}): Promise<Buffer> {
  const { blobs, root } = smallImage();
  return await layoutArchive([{ root, name: NAME, refName: '1' }], blobs, { directories: false, ...options });
}

/** The archives of the sweeps, by kind. */
export async function smallArchives(): Promise<ReadonlyMap<string, Buffer>> {
  const layout = await smallLayout();
  return new Map([
    ['layout', layout],
    ['layout with its metadata last', await smallLayout({ order: 'blobs-first' })],
    ['docker-archive', await dockerArchive([{ tags: ['example/app:1'], config: CONFIG, layers: [LAYER] }])],
    ['gzipped layout', gzipSync(layout, { level: 9 })],
  ]);
}
