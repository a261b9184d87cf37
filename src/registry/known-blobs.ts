import type { Digest } from '../model/digest.js';

/** How long a process waits in a row for blobs that other workers bring, in milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * The repositories that are known to have a blob, so that other repositories of the same registry can mount it. Holds
 * one record for each blob, and one for each repository that has it.
 */
export class KnownBlobs {
  readonly #blobs = new Map<string, { readonly size: number; readonly paths: Set<string> }>();

  readonly #homes = new Map<string, string>();
  #patienceMs = PATIENCE_MS;

  /** Says which repository gets a blob first, from this worker or from another one. */
  setHome(host: string, digest: Digest, path: string): void {
    this.#homes.set(`${host} ${digest}`, path);
  }

  homeOf(host: string, digest: Digest): string | undefined {
    return this.#homes.get(`${host} ${digest}`);
  }

  /** Milliseconds that are left to wait for other workers. A success gives all of them back. */
  get patienceMs(): number {
    return this.#patienceMs;
  }

  spendPatience(ms: number): void {
    this.#patienceMs -= ms;
  }

  renewPatience(): void {
    this.#patienceMs = PATIENCE_MS;
  }

  /** Notes that a repository has a blob. */
  note(host: string, path: string, { digest, size }: { readonly digest: Digest; readonly size: number }): void {
    const key = `${host} ${digest}`;
    const known = this.#blobs.get(key) ?? { size, paths: new Set<string>() };
    known.paths.add(path);
    this.#blobs.set(key, known);
  }

  /** The size of a blob that a repository is known to have. */
  sizeIn(host: string, path: string, digest: Digest): number | undefined {
    const known = this.#blobs.get(`${host} ${digest}`);
    return known?.paths.has(path) === true ? known.size : undefined;
  }

  /** The repositories of a registry that are known to have a blob. */
  pathsWith(host: string, digest: Digest): readonly string[] {
    return [...(this.#blobs.get(`${host} ${digest}`)?.paths ?? [])];
  }
}
