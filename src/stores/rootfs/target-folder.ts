import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { syncFolder } from '../../files/durable-file.js';
import { asError, LadingError, quote } from '../../model/errors.js';
import { pathOf, type Directory } from '../../tree/nodes.js';
import { besideOf, isTaken, targetExists } from './rootfs-target.js';
import { targetError } from './target-error.js';

/** Blocking calls between two turns of other work. */
const CHANGES_PER_TURN = 200;

/** How to make a target. */
export interface TargetFolderOptions {
  /** Whether the target is a bundle, which has the tree as `rootfs` and a `config.json`. */
  readonly bundle: boolean;
  /** Whether what is written is made durable. */
  readonly sync: boolean;
}

/**
 * The private folder beside a target, which gets the target's name when it is whole. A bundle stays private (0700): the
 * set-id bits of its files must not serve other users (CVE-2021-41103).
 */
export class TargetFolder {
  readonly #target: string;
  readonly #folder: string;
  readonly #options: TargetFolderOptions;
  #isPublished = false;

  constructor(target: string, options: TargetFolderOptions) {
    this.#target = target;
    this.#folder = besideOf(target);
    this.#options = options;
  }

  /** The folder of the tree, which does not exist before it is written. */
  get rootfs(): string {
    return this.#options.bundle ? path.join(this.#folder, 'rootfs') : this.#folder;
  }

  /** Makes what the folder of the tree lies in. */
  make(): void {
    if (!this.#options.bundle) return;
    mkdirSync(this.#folder, 0o700);
    // A umask may take even the rights of the owner.
    chmodSync(this.#folder, 0o700);
  }

  /** Writes the `config.json` of a bundle. */
  writeConfig(text: string): void {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    const fd = openSync(path.join(this.#folder, 'config.json'), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o644);
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      fchmodSync(fd, 0o644);
      if (this.#options.sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Gives the folder its name. Throws ERR_TARGET_EXISTS if that was taken meanwhile. */
  async publish(): Promise<void> {
    const { bundle, sync } = this.#options;
    if (bundle && sync) await syncFolder(this.#folder);
    try {
      renameSync(this.#folder, this.#target);
    } catch (error) {
      throw isTaken(error) ? targetExists(this.#target) : error;
    }
    this.#isPublished = true;
    if (sync) await syncFolder(path.dirname(this.#target));
  }

  /** The error of an unpacking that failed, once what was written is removed. */
  async giveUp(cause: unknown, directories: readonly Directory[]): Promise<LadingError> {
    const target = quote(this.#target);
    if (this.#isPublished) return targetError(cause, `${target} is whole, but its name may not outlive a power cut`);
    const error = targetError(cause, `cannot unpack to ${target}`);
    try {
      await this.#remove(directories);
      return error;
    } catch (left) {
      const { code, message, details } = error;
      const text = `${message}; ${quote(this.#folder)} could not be removed (${asError(left).message}): remove it`;
      return new LadingError(code, text, { details: { ...details, left: this.#folder }, cause });
    }
  }

  /** Parents first: a directory that its owner cannot enter or change would not let its children be removed. */
  async #remove(directories: readonly Directory[]): Promise<void> {
    const root = Buffer.from(this.rootfs);
    const closed = directories.filter(({ metadata }) => (metadata.mode & 0o700) !== 0o700);
    for (const [at, directory] of closed.entries()) {
      const name = pathOf(directory);
      chmodIfThere(name === '' ? root : Buffer.concat([root, Buffer.from(`/${name}`, 'latin1')]), 0o700);
      if (at % CHANGES_PER_TURN === 0) await setImmediate();
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function chmodIfThere(file: Buffer, mode: number): void {
  try {
    chmodSync(file, mode);
  } catch {
    // It was not made yet. Where it was, the removal tells what is wrong.
  }
}
