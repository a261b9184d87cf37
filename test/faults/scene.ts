import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { layoutArchive, type LayoutImage, type LayoutOptions } from '../fixtures/archive-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { faultFolder } from './form.js';
import { runProgram } from './program.js';

/** The stores that operations start from: no store, two images, and two more images loaded over them. */
export type Template = 'none' | 'base' | 'full';

/** The archives, and the stores that faults are tried on. */
export interface Scene {
  readonly folder: string;
  /** The `main.js` of the program under test: the built one, or a mutant. */
  readonly main: string;
  /** A path in the scene's folder. */
  readonly at: (name: string) => string;
  /** Copies the template to a new path, and returns that path. */
  readonly copyOf: (template: Template) => Promise<string>;
}

/** Builds the archives and the stores, with the program under test. */
export async function buildScene(t: TestContext, main: string = LADING): Promise<Scene> {
  const folder = await faultFolder(t);
  const at = (name: string): string => path.join(folder, name);
  await writeArchives(at);
  await mkdir(at('none'));
  for (const store of ['base', 'full']) await load(main, at(store), at('old.tar'));
  await load(main, at('full'), at('new.tar'));
  let copies = 0;
  const copyOf = async (template: Template): Promise<string> => {
    copies += 1;
    const store = at(`${template}-${copies}`);
    if (template !== 'none') await cp(at(template), store, { recursive: true, preserveTimestamps: true });
    return store;
  };
  return { folder, main, at, copyOf };
}

async function load(main: string, store: string, archive: string): Promise<void> {
  const { status, stderr } = await runProgram(main, ['load', '-i', archive, '--store', store]);
  if (status !== 0) throw new Error(`cannot build the scene: ${stderr}`);
}

const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
const APP = 'docker.io/example/app:1';

/** `new` has another image under a name of `old`, shares layers with it, and has a layer larger than one batch. */
async function writeArchives(at: (name: string) => string): Promise<void> {
  const blobs = new BlobSet();
  const old = [
    named(APP, buildMultiPlatform(blobs, PLATFORMS, { seed: 'old', layers: ['shared', 'old-layer'] }).root),
    named('docker.io/example/other:1', buildManifest(blobs, manifest('other', ['shared', 'other-layer']))),
  ];
  const large = { ...manifest('large', ['large-layer']), layerBytes: 1_200_000 };
  const fresh = [
    named(APP, buildMultiPlatform(blobs, PLATFORMS, { seed: 'new', layers: ['shared', 'new-layer'] }).root),
    named('docker.io/example/extra:1', buildManifest(blobs, manifest('extra', ['extra-layer', 'other-layer']))),
    named('docker.io/example/large:1', buildManifest(blobs, large)),
  ];
  await write(at('old.tar'), old, blobs);
  await write(at('new.tar'), fresh, blobs);
  // Metadata last, and with the blobs of the old images: the load must keep all blobs at first, and drop many later.
  await writeFile(at('late.tar'), await layoutArchive(fresh, blobs, { order: 'blobs-first' }));
}

function manifest(seed: string, layers: readonly string[]) {
  return { platform: 'linux/amd64', seed, layers } as const;
}

function named(name: string, root: LayoutImage['root']): LayoutImage {
  return { root, name, refName: name.slice(name.lastIndexOf(':') + 1) };
}

async function write(file: string, images: readonly LayoutImage[], blobs: BlobSet): Promise<void> {
  const only: LayoutOptions['only'] = new Set(images.flatMap(({ root }) => closureOf(blobs, root)));
  await writeFile(file, await layoutArchive(images, blobs, { only }));
}
