import { rm } from 'node:fs/promises';
import path from 'node:path';
import { OciLayoutStore, loadImages } from '../src/index.js';
import type { Fixture } from './fixture.js';
import { quoted } from './measure.js';
import { freshFolder, type Workspace } from './workspace.js';

/** What a stand is set up with. */
export interface StandOptions {
  /** The file of the command that is measured. */
  readonly main: string;
  readonly fixture: Fixture;
  readonly workspace: Workspace;
  /** Whether tools that keep copies of their own may take part. */
  readonly hasRoomForPeers: boolean;
}

/**
 * What the cases share: the command that is measured, the fixture, one store and one folder to unpack into. Cases fill and
 * clear them, so that the whole content is there in one of them only.
 */
export class Stand {
  readonly fixture: Fixture;
  readonly workspace: Workspace;
  readonly hasRoomForPeers: boolean;
  readonly store: string;
  readonly unpacked: string;
  readonly #main: string;
  readonly #probe = new URL('probe.js', import.meta.url).href;
  #isFull = false;

  constructor({ main, fixture, workspace, hasRoomForPeers }: StandOptions) {
    this.fixture = fixture;
    this.workspace = workspace;
    this.hasRoomForPeers = hasRoomForPeers;
    this.store = path.join(workspace.folder, 'store');
    this.unpacked = path.join(workspace.folder, 'unpacked');
    this.#main = main;
  }

  /** A `lading` command line whose process tells its memory and its writes. */
  lading(...words: readonly string[]): string {
    return quoted(process.execPath, '--import', this.#probe, this.#main, ...words);
  }

  /** A `lading` command line as a user has it, for times that the probe would lengthen. */
  plainLading(...words: readonly string[]): string {
    return quoted(process.execPath, this.#main, ...words);
  }

  /** Brings about: no store, and an empty folder to unpack into. */
  async clear(): Promise<void> {
    this.#isFull = false;
    await rm(this.store, { recursive: true, force: true });
    await this.emptyUnpacked();
  }

  /** Brings about: an empty folder to unpack into. */
  async emptyUnpacked(): Promise<void> {
    await freshFolder(this.workspace, path.basename(this.unpacked));
  }

  /** Brings about: the store has the whole fixture. */
  async fill(): Promise<void> {
    if (this.#isFull) return;
    await this.clear();
    await loadImages(await OciLayoutStore.open(this.store), this.fixture.archive);
    this.#isFull = true;
  }
}
