import { rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { launchContainerd, type RunningContainerd } from '../test/interop/containerd.js';
import { isInstalled } from './installed.js';
import { quoted } from './measure.js';

/** A containerd of the benchmark's own, started at its first use. */
export class PeerContainerd {
  /** Where its content is. */
  readonly root: string;
  readonly #folder: string;
  #starting: Promise<string | undefined> | undefined;
  #running: RunningContainerd | undefined;

  /** The root is on the file system of the stores, the socket elsewhere: its path may have at most 107 characters. */
  constructor(root: string) {
    this.root = root;
    this.#folder = path.join(os.tmpdir(), `lading-bench-${process.pid}`);
  }

  /** Starts it unless it runs. Returns the reason if that is not possible. */
  whyMissing(): Promise<string | undefined> {
    return (this.#starting ??= this.#start());
  }

  /** A `ctr` command line. */
  ctr(...words: readonly string[]): string {
    return quoted('ctr', '--address', path.join(this.#folder, 's'), ...words);
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Stops it, and removes what it wrote. */
  async stop(): Promise<void> {
    await this.#running?.stop();
    await rm(this.#folder, { recursive: true, force: true });
    await rm(this.root, { recursive: true, force: true });
  }

  /** Kills it at once, for a process that is about to end. */
  kill(): void {
    if (this.pid !== undefined) process.kill(this.pid, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<string | undefined> {
    if (!isInstalled('containerd') || !isInstalled('ctr')) return 'containerd and ctr are not in PATH';
    if (process.getuid?.() !== 0) return 'a containerd needs root';
    try {
      await mkdir(this.#folder, { mode: 0o700 });
      this.#running = await launchContainerd(this.#folder, this.root);
      return undefined;
    } catch (error) {
      return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    }
  }
}
