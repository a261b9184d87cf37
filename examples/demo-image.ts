import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import {
  digestOf,
  exportImages,
  MemoryStore,
  parsePlatform,
  type Descriptor,
  type Platform,
  type Store,
} from '../src/index.js';
import { TarPack } from '../src/stages/index.js';

const TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** Builds an image for the platforms in a memory store, and saves it with the library, as the command does. */
export async function writeDemoArchive(file: string, name: string, platforms: readonly string[]): Promise<void> {
  const store = new MemoryStore();
  const manifests: Descriptor[] = [];
  for (const platform of platforms) manifests.push(await addManifest(store, parsePlatform(platform)));
  const root = await addJson(store, TYPES.index, { schemaVersion: 2, mediaType: TYPES.index, manifests });
  const session = await store.session();
  await session.publish((records) => [...records, { name, descriptor: root }]);
  await session.end();
  await pipeline(exportImages(store, [name]), createWriteStream(file));
}

async function addManifest(store: Store, platform: Platform): Promise<Descriptor> {
  const tar = await tarOf('hello.txt', `hello from ${platform.os}/${platform.architecture}\n`);
  const layer = await addBlob(store, TYPES.layer, gzipSync(tar));
  const config = await addJson(store, TYPES.config, {
    ...platform,
    config: { Cmd: ['cat', '/hello.txt'], Labels: { demo: 'yes' } },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
  });
  const manifest = { schemaVersion: 2, mediaType: TYPES.manifest, config, layers: [layer] };
  return { ...(await addJson(store, TYPES.manifest, manifest)), platform };
}

/** A tar with one file, packed by the stage that packs archives. */
async function tarOf(name: string, text: string): Promise<Buffer> {
  const body = Buffer.from(text);
  const entry = { name, type: 'file', size: body.length, body: Readable.from([body]) };
  return Buffer.concat(await Readable.from([entry]).pipe(new TarPack()).toArray());
}

async function addJson(store: Store, mediaType: string, document: object): Promise<Descriptor> {
  return await addBlob(store, mediaType, Buffer.from(JSON.stringify(document)));
}

async function addBlob(store: Store, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const session = await store.session();
  const ingest = await session.begin(undefined);
  await ingest.write(bytes);
  await ingest.commit(descriptor);
  await session.end();
  return descriptor;
}
