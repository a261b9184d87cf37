import { execFile } from 'node:child_process';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { entryNameOf, INDEX_ENTRY, LAYOUT_BYTES, LAYOUT_ENTRY } from '../src/model/archive-layout.js';
import type { Descriptor } from '../src/model/descriptor.js';
import { MEDIA_TYPES } from '../src/model/media-types.js';
import { indexJson } from '../test/fixtures/archive-builder.js';
import { BlobSet, descriptorsUnder } from '../test/fixtures/blob-set.js';
import { buildIndex, platformFrom } from '../test/fixtures/manifest-builder.js';
import { writeLayer, type Layer } from './layer.js';

/** The platforms of the image that the cases move. */
export const PLATFORMS = [
  'linux/amd64',
  'linux/arm64',
  'linux/arm/v7',
  'linux/arm/v6',
  'linux/386',
  'linux/ppc64le',
  'linux/s390x',
  'linux/riscv64',
] as const;

/** The full name of the image that the cases move. */
export const IMAGE = 'docker.io/bench/app:1';

/** An archive with one image for all platforms, metadata first. Sizes in bytes. */
export interface Fixture {
  readonly archive: string;
  readonly archiveBytes: number;
  readonly blobs: number;
  /** The first platform's share: its layers, its config, its manifest and the index above it. */
  readonly firstPlatformBytes: number;
}

/** Where a fixture is built and of what. `bytes` is the content of all layers together. */
export interface FixtureOptions {
  readonly archive: string;
  /** A folder that is not there yet, for the layout that the archive is made of; removed afterwards. */
  readonly layout: string;
  readonly bytes: number;
  readonly seed?: string;
}

const run = promisify(execFile);

/** Writes an OCI layout directory, then the archive of it with GNU tar. Holds a few MiB; needs twice the bytes for a while. */
export async function buildFixture({ archive, layout, bytes, seed = 'bench' }: FixtureOptions): Promise<Fixture> {
  try {
    await mkdir(layout, { recursive: true });
    const image = await writeImage(layout, seed, bytes);
    await run('tar', ['cf', archive, '-C', layout, LAYOUT_ENTRY, INDEX_ENTRY, ...image.entries]);
    const { size } = await stat(archive);
    return { archive, archiveBytes: size, blobs: image.entries.length, firstPlatformBytes: image.firstPlatformBytes };
  } finally {
    await rm(layout, { recursive: true, force: true });
  }
}

interface WrittenImage {
  /** Names of all blobs, parents before children and layers last: metadata first, as `lading save` packs them. */
  readonly entries: readonly string[];
  readonly firstPlatformBytes: number;
}

/** How the bytes of one platform are dealt out to its own layers; the shared base has as much as all of them. */
const LAYER_SHARES = [0.6, 0.3, 0.1];

async function writeImage(layout: string, seed: string, bytes: number): Promise<WrittenImage> {
  const share = bytes / (PLATFORMS.length + 1);
  const documents = new BlobSet();
  const base = await writeLayer(layout, `${seed}-base`, Math.round(share));
  const layers = [base];
  const manifests: Descriptor[] = [];
  for (const platform of PLATFORMS) {
    const own = await writeLayers(layout, `${seed}-${platform.replaceAll('/', '-')}`, share);
    layers.push(...own);
    manifests.push(describeImage(documents, platform, [base, ...own]));
  }
  const root = buildIndex(documents, manifests);
  await writeDocuments(layout, documents, root);
  const blobs = [...descriptorsUnder(documents, root), ...layers.map(({ descriptor }) => descriptor)];
  return {
    entries: blobs.map(({ digest }) => entryNameOf(digest)),
    firstPlatformBytes: bytesOfImage(documents, manifests[0]) + root.size,
  };
}

async function writeLayers(layout: string, seed: string, bytes: number): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const [at, share] of LAYER_SHARES.entries()) {
    layers.push(await writeLayer(layout, `${seed}-${at}`, Math.round(bytes * share)));
  }
  return layers;
}

function describeImage(documents: BlobSet, platform: string, layers: readonly Layer[]): Descriptor {
  const diffIds = layers.map(({ diffId }) => diffId);
  const config = { ...platformFrom(platform), config: {}, rootfs: { type: 'layers', diff_ids: diffIds } };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: documents.document(config, MEDIA_TYPES.ociConfig),
    layers: layers.map(({ descriptor }) => descriptor),
  };
  return documents.document(manifest, MEDIA_TYPES.ociManifest, { platform: platformFrom(platform) });
}

async function writeDocuments(layout: string, documents: BlobSet, root: Descriptor): Promise<void> {
  for (const [digest, bytes] of documents) await writeFile(path.join(layout, entryNameOf(digest)), bytes);
  await writeFile(path.join(layout, LAYOUT_ENTRY), LAYOUT_BYTES);
  await writeFile(path.join(layout, INDEX_ENTRY), JSON.stringify(indexJson([{ root, name: IMAGE, refName: '1' }])));
}

function bytesOfImage(documents: BlobSet, manifest: Descriptor | undefined): number {
  if (manifest === undefined) return 0;
  const { config, layers = [] } = documents.links(manifest.digest);
  return [manifest, ...(config === undefined ? [] : [config]), ...layers].reduce((sum, { size }) => sum + size, 0);
}
