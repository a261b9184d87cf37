import type { Digest } from '../model/digest.js';

/**
 * The repositories that are known to have a blob, so that other repositories of the same registry can mount it. Holds
 * one record for each blob, and one for each repository that has it.
 */
export class KnownBlobs {
  readonly #blobs = new Map<string, { readonly size: number; readonly paths: Set<string> }>();

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
