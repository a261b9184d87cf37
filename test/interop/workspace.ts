import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { parseDigest, type Digest } from '../../src/model/digest.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { closureOf, type BlobSet } from '../fixtures/blob-set.js';
import { lading } from '../fixtures/command.js';
import { buildBusyboxImage, type BusyboxImage } from './busybox-image.js';

/** The full name of the image in every interop test, and its tag. */
export const NAME = 'docker.io/example/busybox:1';
export const TAG = '1';

/** A folder of the test's own, with a short path for sockets; removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lading-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The busybox image in a store of its own, loaded by `lading load` from an archive as containerd orders it. */
export interface LoadedImage extends BusyboxImage {
  /** A folder of the test's own; the store is in it. */
  readonly folder: string;
  readonly store: string;
}

/** Loads the busybox image into a fresh store. */
export async function loadBusybox(t: TestContext): Promise<LoadedImage> {
  const image = buildBusyboxImage();
  const folder = await temporaryFolder(t);
  const store = join(folder, 'store');
  const archive = join(folder, 'in.tar');
  await writeFile(archive, await busyboxArchive(image));
  await lading(['load', '--store', store, '-i', archive]);
  return { ...image, folder, store };
}

/** The image's archive as containerd writes it: blobs first. */
export async function busyboxArchive({ blobs, root }: BusyboxImage): Promise<Buffer> {
  return layoutArchive([{ root, name: NAME, refName: TAG }], blobs, { order: 'blobs-first' });
}

/** Saves the image with these options of `lading save`, and returns the archive's path. */
export async function save({ folder, store }: LoadedImage, ...options: readonly string[]): Promise<string> {
  const file = join(folder, 'out.tar');
  await lading(['save', '--store', store, '-o', file, ...options, NAME]);
  return file;
}

/** The manifest of a platform that the image has. */
export function manifestOf({ manifests }: BusyboxImage, platform: string): Descriptor {
  const manifest = manifests.get(platform);
  if (manifest === undefined) throw new Error(`the busybox image has no ${platform}`);
  return manifest;
}

/** The digests under a descriptor, sorted. */
export function sortedClosure(blobs: BlobSet, root: Descriptor): Digest[] {
  return closureOf(blobs, root).toSorted();
}

/** The sha256 blobs of an OCI layout directory, sorted. */
export async function blobsOf(layout: string): Promise<Digest[]> {
  const names = await readdir(join(layout, 'blobs', 'sha256'));
  return names.map((name) => parseDigest(`sha256:${name}`)).toSorted();
}

/** The bytes of a blob of an OCI layout directory. */
export async function readBlob(layout: string, digest: Digest): Promise<Buffer> {
  return readFile(join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length)));
}

/** The only descriptor of an OCI layout directory's `index.json`. */
export async function onlyRootOf(layout: string): Promise<Descriptor> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const [root, ...others] = index.manifests;
  assert.ok(root !== undefined && others.length === 0, `${layout} has ${index.manifests.length} images, not one`);
  return root;
}

/** An image as `lading images --json` lists it (SEMANTICS.md, "Reports"). */
export interface ListedImage {
  readonly name?: string;
  readonly digest: Digest;
  readonly platforms: readonly { readonly platform: string; readonly digest: Digest; readonly state: string }[];
}

/** The only image of a store, as `lading images --json` lists it. */
export async function onlyImageOf(store: string): Promise<ListedImage> {
  const listed = await lading(['images', '--json', '--store', store]);
  const { images } = JSON.parse(listed) as { readonly images: readonly ListedImage[] };
  const [image, ...others] = images;
  assert.ok(image !== undefined && others.length === 0, `the store has ${images.length} images, not one`);
  return image;
}

/** State by platform, to compare with a literal. */
export function statesOf({ platforms }: ListedImage): Record<string, string> {
  return Object.fromEntries(platforms.map(({ platform, state }) => [platform, state]));
}
