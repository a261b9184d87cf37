import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadImages, OciLayoutStore } from '../src/index.js';
import { buildFixture, type Fixture } from './fixture.js';
import { quoted } from './measure.js';
import type { PeerContainerd } from './peer-containerd.js';
import type { ImageShape } from './shapes.js';
import { freshFolder, type Workspace } from './workspace.js';

/** What all stands share. */
export interface Ground {
  /** The file of the command that is measured. */
  readonly main: string;
  readonly workspace: Workspace;
  readonly containerd: PeerContainerd;
  /** How many blobs the cases of small blobs move. */
  readonly smallBlobs: number;
}

/**
 * What cases share: the command that is measured, a fixture, one store and one folder to unpack into. Cases fill and
 * clear these, so that only a few copies of the content exist at a time.
 */
export class Stand {
  readonly ground: Ground;
  readonly fixture: Fixture;
  readonly store: string;
  readonly unpacked: string;
  #isFull = false;

  /** Builds the fixture, in folders of the stand's own. */
  static async build(ground: Ground, name: string, shape: ImageShape): Promise<Stand> {
    const { folder, archiveFolder } = ground.workspace;
    const archive = path.join(archiveFolder, `${name}.tar`);
    const fixture = await buildFixture({ archive, layout: path.join(folder, `${name}-layout`), shape });
    return new Stand(ground, fixture, await freshFolder(path.join(folder, name)));
  }

  private constructor(ground: Ground, fixture: Fixture, folder: string) {
    this.ground = ground;
    this.fixture = fixture;
    this.store = path.join(folder, 'store');
    this.unpacked = path.join(folder, 'unpacked');
  }

  /** A `lading` command line whose process reports its memory and its writes. */
  lading(...words: readonly string[]): string {
    return probedNode(this.ground.main, ...words);
  }

  /** A `lading` command line without the probe, for times that the probe would lengthen. */
  plainLading(...words: readonly string[]): string {
    return quoted(process.execPath, this.ground.main, ...words);
  }

  /** Removes the store, and makes an empty folder to unpack into. */
  async clear(): Promise<void> {
    this.#isFull = false;
    await rm(this.store, { recursive: true, force: true });
    await this.emptyUnpacked();
  }

  /** Makes an empty folder to unpack into. */
  async emptyUnpacked(): Promise<void> {
    await freshFolder(this.unpacked);
  }

  /** Makes sure that the store has the whole fixture. */
  async fill(): Promise<void> {
    if (this.#isFull) return;
    await this.clear();
    await loadImages(await OciLayoutStore.open(this.store), this.fixture.archive);
    this.#isFull = true;
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    await rm(path.dirname(this.store), { recursive: true, force: true });
    await rm(this.fixture.archive, { force: true });
  }
}

/** A command line that plans the export of an image through the library. */
export function planning(store: string, image: string): string {
  return probedNode(fileURLToPath(new URL('plan.js', import.meta.url)), store, image);
}

/** A command line of Node whose process reports its memory and its writes. */
function probedNode(...words: readonly string[]): string {
  return quoted(process.execPath, '--import', new URL('probe.js', import.meta.url).href, ...words);
}
