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
import type { ImageShape, PlatformShape } from './shapes.js';

/** The full name of the image that the cases move. */
export const IMAGE = 'docker.io/bench/app:1';

/** An archive with one image for all platforms, metadata first. */
export interface Fixture {
  readonly archive: string;
  readonly archiveBytes: number;
  /** All blobs, parents before children and layers last: metadata first, as `lading save` packs them. */
  readonly blobs: readonly Descriptor[];
  /** The first platform's share: the index, its manifest, its config and its layers. */
  readonly firstPlatform: readonly Descriptor[];
}

/** Where a fixture is built, and what it is made of. */
export interface FixtureOptions {
  readonly archive: string;
  /** A folder that does not exist yet, for the layout that the archive is made from; removed afterwards. */
  readonly layout: string;
  readonly shape: ImageShape;
  readonly seed?: string;
}

const run = promisify(execFile);

/** Writes an OCI layout directory, then the archive of it with GNU tar. Holds a few MiB; needs twice the disk space. */
export async function buildFixture({ archive, layout, shape, seed = 'bench' }: FixtureOptions): Promise<Fixture> {
  try {
    await mkdir(layout, { recursive: true });
    const image = await writeImage(layout, seed, shape);
    await pack(layout, archive, [LAYOUT_ENTRY, INDEX_ENTRY, ...image.blobs.map(({ digest }) => entryNameOf(digest))]);
    return { archive, archiveBytes: (await stat(archive)).size, ...image };
  } finally {
    await rm(layout, { recursive: true, force: true });
  }
}

/** Packs the fixture's image from a store in the opposite order: layers first, metadata last. */
export async function packBlobsFirst({ blobs }: Fixture, store: string, archive: string): Promise<void> {
  const entries = blobs.map(({ digest }) => entryNameOf(digest)).toReversed();
  await pack(store, archive, [...entries, INDEX_ENTRY, LAYOUT_ENTRY]);
}

/** The sum of the sizes. */
export function bytesOf(descriptors: readonly Descriptor[]): number {
  return descriptors.reduce((sum, { size }) => sum + size, 0);
}

async function pack(folder: string, archive: string, entries: readonly string[]): Promise<void> {
  const list = `${archive}.entries`;
  await writeFile(list, entries.map((entry) => `${entry}\n`).join(''));
  await run('tar', ['cf', archive, '-C', folder, '-T', list]);
  await rm(list);
}

async function writeImage(
  layout: string,
  seed: string,
  shape: ImageShape,
): Promise<Omit<Fixture, 'archive' | 'archiveBytes'>> {
  const documents = new BlobSet();
  const base = shape.baseBytes > 0 ? [await writeLayer(layout, `${seed}-base`, shape.baseBytes)] : [];
  const layers = [...base];
  const manifests: Descriptor[] = [];
  for (const platform of shape.platforms) {
    const own = await writeLayers(layout, seed, platform);
    layers.push(...own);
    manifests.push(describeImage(documents, platform.name, [...base, ...own]));
  }
  const root = buildIndex(documents, manifests);
  await writeDocuments(layout, documents, root);
  const blobs = [...descriptorsUnder(documents, root), ...layers.map(({ descriptor }) => descriptor)];
  return { blobs, firstPlatform: [root, ...imageOf(documents, manifests[0])] };
}

async function writeLayers(layout: string, seed: string, { name, layers }: PlatformShape): Promise<Layer[]> {
  const written: Layer[] = [];
  for (const [at, bytes] of layers.entries()) {
    written.push(await writeLayer(layout, `${seed}-${name.replaceAll('/', '-')}-${at}`, bytes));
  }
  return written;
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

function imageOf(documents: BlobSet, manifest: Descriptor | undefined): readonly Descriptor[] {
  if (manifest === undefined) return [];
  const { config, layers = [] } = documents.links(manifest.digest);
  return [manifest, ...(config === undefined ? [] : [config]), ...layers];
}
