import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import type { DockerArchiveImage } from '../model/docker-archive.js';
import type { ImageChoice } from '../model/image-choice.js';
import { platformOf, type ImageConfig } from '../model/image-config.js';
import type { Limits } from '../model/limits.js';
import { MEDIA_TYPES } from '../model/media-types.js';
import type { PlatformSet } from '../model/platform-set.js';
import type { ContentProvider } from './content-provider.js';
import { Documents } from './documents.js';
import { parseConfigBytes, parseDockerManifestBytes } from './parse-document.js';

/** The filter of the load, and its limits. */
export interface DockerListingOptions {
  readonly platforms: Pick<PlatformSet<never>, 'wants' | 'wantsAll'>;
  readonly choice?: ImageChoice | undefined;
  readonly limits: Limits;
}

/**
 * The blobs that the `manifest.json` of a layout asks for, beside those of `index.json`. With a filter, the layers of
 * an image are wanted once its config has shown its platform. Documents that are wrong teach nothing: that is found
 * when the archive is closed. Holds one digest and one name for each of these blobs.
 */
export class DockerListing {
  readonly #options: DockerListingOptions;
  readonly #wanted = new Set<Digest>();
  /** The layers of each config that was not read yet. */
  readonly #unread = new Map<Digest, readonly Digest[]>();
  readonly #names = new Set<string>();
  #namesFiles = false;

  constructor(options: DockerListingOptions) {
    this.#options = options;
  }

  /** Whether it names entries that are no blobs. */
  get namesFiles(): boolean {
    return this.#namesFiles;
  }

  /** The plain names of the entries that the images that are meant name. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** Learns from the bytes of `manifest.json`. Reads the configs that the provider has. */
  async learn(bytes: Buffer, provider: ContentProvider): Promise<void> {
    const { limits } = this.#options;
    for (const image of (await tolerant(parseDockerManifestBytes(bytes, limits))) ?? []) this.#list(image);
    const documents = new Documents(provider, { limits, onDamage: () => {} });
    for (const digest of this.#unread.keys()) {
      const size = (await provider.stat(digest, 'blob'))?.size;
      if (size === undefined) continue;
      this.#learnPlatform(digest, await documents.config({ mediaType: MEDIA_TYPES.dockerConfig, digest, size }));
    }
  }

  /** Learns from the bytes of a config. */
  async learnConfig(digest: Digest, bytes: Buffer): Promise<void> {
    this.#learnPlatform(digest, await tolerant(parseConfigBytes(bytes, digest, this.#options.limits)));
  }

  /** Whether an image needs the blob, as far as the documents read so far can tell. */
  wants(digest: Digest): boolean {
    return this.#wanted.has(digest);
  }

  /** Whether it is a config that was not read yet. */
  isUnread(digest: Digest): boolean {
    return this.#unread.has(digest);
  }

  /** Whether every config that has to be read was read. */
  isComplete(): boolean {
    return this.#unread.size === 0;
  }

  #list({ config, layers, repoTags }: DockerArchiveImage): void {
    if (this.#options.choice?.mayMean(repoTags) === false) return;
    const names = [config, ...layers].map(plainEntryName);
    for (const name of names) this.#names.add(name);
    const [top, ...rest] = names.map(digestOfEntry);
    const digests = rest.filter((digest) => digest !== undefined);
    if (top === undefined || digests.length < rest.length) this.#namesFiles = true;
    if (top !== undefined) this.#wanted.add(top);
    if (top === undefined || this.#options.platforms.wantsAll) digests.forEach((digest) => this.#wanted.add(digest));
    else this.#unread.set(top, [...(this.#unread.get(top) ?? []), ...digests]);
  }

  #learnPlatform(digest: Digest, config: ImageConfig | undefined): void {
    const layers = this.#unread.get(digest) ?? [];
    this.#unread.delete(digest);
    if (this.#options.platforms.wants(config && platformOf(config))) layers.forEach((layer) => this.#wanted.add(layer));
  }
}

async function tolerant<T>(parsed: Promise<T>): Promise<T | undefined> {
  try {
    return await parsed;
  } catch {
    return undefined;
  }
}
