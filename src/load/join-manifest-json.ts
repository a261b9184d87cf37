import { Documents } from '../content/documents.js';
import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import type { Descriptor } from '../model/descriptor.js';
import { isDigest, type Digest } from '../model/digest.js';
import type { DockerArchiveImage } from '../model/docker-archive.js';
import { LadingError, quote, type ErrorCategory } from '../model/errors.js';
import type { ImageChoice } from '../model/image-choice.js';
import { platformOf } from '../model/image-config.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PlatformSet } from '../model/platform-set.js';
import { formatPlatformFull, type Platform } from '../model/platform.js';
import { parseReference } from '../model/reference.js';
import type { ArchiveContents } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';
import { labelOfRecord } from '../survey/reports.js';
import type { WarningList } from '../survey/warning-list.js';
import { withoutRepeats } from './archive-names.js';
import { configPlaces, type ConfigPlace } from './config-places.js';
import { readConfig, rootOf, type DockerArchiveOptions } from './docker-archive-targets.js';

/** How to read `manifest.json` beside a layout. */
export interface JoinOptions extends DockerArchiveOptions {
  readonly warnings: WarningList;
  /** The filter of the load. Without one, what is not here was not in the archive. */
  readonly platforms: Pick<PlatformSet<never>, 'wants' | 'wantsAll'>;
  readonly choice?: ImageChoice | undefined;
}

/**
 * The images of a layout that has a `manifest.json`, too: every image that one of the two describes wholly, with its
 * names from both. Where they disagree, `index.json` is followed, with a warning. What only one of them names and is
 * not here is a warning.
 */
export async function joinManifestJson(
  session: DestinationSession,
  contents: ArchiveContents,
  images: readonly ImageRecord[],
  listed: readonly DockerArchiveImage[],
  options: JoinOptions,
): Promise<readonly ImageRecord[]> {
  const places = await configPlaces(new Documents(session, { limits: options.limits, onDamage: () => {} }), images);
  const join = new Join(session, contents, images, options);
  await join.findAbsent();
  for (const image of listed) {
    const config = configOf(contents, image);
    const place = config && places.get(config);
    if (place === undefined) await join.takeExtra(image);
    else await join.takeListed(image, place);
  }
  return join.images();
}

/** The digest of the image's config, by its content or else by its name. */
function configOf({ files }: ArchiveContents, { config }: DockerArchiveImage): Digest | undefined {
  const name = plainEntryName(config);
  const found = files.get(name)?.digest ?? digestOfEntry(name);
  const named = `sha256:${name.slice(name.lastIndexOf('/') + 1).replace(/\.json$/, '')}`;
  return found ?? (isDigest(named) ? named : undefined);
}

/** Errors of a description that is wrong. Any other error ends the load. */
const UNUSABLE: readonly ErrorCategory[] = ['invalid-archive', 'integrity', 'not-found', 'limit', 'unsupported'];

/** The images of the layout, and what `manifest.json` adds to them. */
class Join {
  readonly #session: DestinationSession;
  readonly #contents: ArchiveContents;
  readonly #options: JoinOptions;
  readonly #images: readonly ImageRecord[];
  readonly #holders = new Map<string, Digest>();
  readonly #named = new Set<Digest>();
  readonly #absent = new Set<Digest>();
  readonly #replaced = new Map<Digest, Descriptor>();
  readonly #added: ImageRecord[] = [];
  #hasExtras = false;

  constructor(
    session: DestinationSession,
    contents: ArchiveContents,
    images: readonly ImageRecord[],
    options: JoinOptions,
  ) {
    this.#session = session;
    this.#contents = contents;
    this.#images = images;
    this.#options = options;
  }

  /** Finds the roots that are not here. Their names are free for images that are. */
  async findAbsent(): Promise<void> {
    for (const { name, descriptor } of this.#images) {
      if (this.#options.platforms.wantsAll && (await this.#isAbsent(descriptor, 'manifest')))
        this.#absent.add(descriptor.digest);
      else if (name !== undefined) {
        this.#holders.set(name, descriptor.digest);
        this.#named.add(descriptor.digest);
      }
    }
  }

  /** An image whose config a root of the layout leads to. */
  async takeListed(image: DockerArchiveImage, place: ConfigPlace): Promise<void> {
    const { root, layers } = place;
    if (layers !== undefined && (await this.#isLess(layers, image))) {
      const read = await this.#read(image);
      if (!(read instanceof LadingError)) this.#replaced.set(root.digest, read);
    }
    const names = await this.#options.names.ofTags(image.repoTags, root.digest);
    // The name of one platform says nothing about an index that has a name of its own.
    const isForeign = layers === undefined && this.#named.has(root.digest);
    for (const name of names) {
      if (isForeign && !this.#holders.has(name)) this.#disagree(name);
      else if (!isForeign) this.#name(name, root);
    }
  }

  /** An image that no root of the layout leads to. */
  async takeExtra(image: DockerArchiveImage): Promise<void> {
    const { platforms, choice, names: reader } = this.#options;
    if (choice?.mayMean(image.repoTags, (digest) => this.#isRoot(digest)) === false) return;
    const platform = platforms.wantsAll ? undefined : await this.#platformOf(image);
    if (platform !== undefined && !platforms.wants(platform)) {
      // Its layers may have gone by: so it is left out in every order of the entries.
      return this.#leaveOut(image, await reader.ofTags(image.repoTags), `it has only ${formatPlatformFull(platform)}`);
    }
    const root = await this.#read(image);
    const isRead = !(root instanceof LadingError);
    const names = await reader.ofTags(image.repoTags, isRead ? root.digest : undefined);
    if (!isRead) return this.#leaveOut(image, names, root.message);
    this.#hasExtras = true;
    this.#added.push({ descriptor: root });
    for (const name of names) this.#name(name, root);
  }

  /** All images. What only `index.json` lists and is not here is left out if `manifest.json` has other images. */
  images(): readonly ImageRecord[] {
    const isLeftOut = ({ descriptor }: ImageRecord): boolean => this.#hasExtras && this.#absent.has(descriptor.digest);
    for (const image of this.#images) if (isLeftOut(image)) this.#tellAbsent(image);
    const kept = [...this.#images.filter((image) => !isLeftOut(image)), ...this.#added];
    return withoutRepeats(kept.map((image) => this.#asRead(image)));
  }

  #asRead(image: ImageRecord): ImageRecord {
    const { digest, annotations } = image.descriptor;
    const read = this.#replaced.get(digest);
    return read === undefined ? image : { ...image, descriptor: { ...read, ...(annotations && { annotations }) } };
  }

  /** Whether the root's own document has less than `manifest.json`: Docker 25.0.0 wrote manifests without layers. */
  async #isLess(layers: readonly Descriptor[], image: DockerArchiveImage): Promise<boolean> {
    if (layers.length !== image.layers.length) return layers.length < image.layers.length;
    for (const layer of layers) if (await this.#isAbsent(layer, 'blob')) return true;
    return false;
  }

  async #isAbsent({ digest }: Descriptor, kind: 'manifest' | 'blob'): Promise<boolean> {
    return !this.#contents.damaged.has(digest) && (await this.#session.stat(digest, kind)) === undefined;
  }

  /** The root of the image, or why it cannot be had. Damage in one of its blobs ends the load. */
  async #read(image: DockerArchiveImage): Promise<Descriptor | LadingError> {
    const digests = [image.config, ...image.layers].flatMap((name) => digestOfEntry(plainEntryName(name)) ?? []);
    for (const digest of digests) {
      const damaged = this.#contents.damaged.get(digest);
      if (damaged !== undefined) throw damaged.damage;
    }
    try {
      return await rootOf(this.#session, this.#contents, image, this.#options.limits);
    } catch (error) {
      if (error instanceof LadingError && UNUSABLE.includes(error.category)) return error;
      throw error;
    }
  }

  #isRoot(digest: string): boolean {
    return this.#images.some(({ descriptor }) => descriptor.digest === digest);
  }

  /** The platform in the image's config; undefined if that is not here or not sound, which `#read` tells. */
  async #platformOf(image: DockerArchiveImage): Promise<Platform | undefined> {
    try {
      return platformOf((await readConfig(this.#session, this.#contents, image, this.#options.limits)).document);
    } catch (error) {
      if (error instanceof LadingError && UNUSABLE.includes(error.category)) return undefined;
      throw error;
    }
  }

  #name(name: string, descriptor: Descriptor): void {
    const holder = this.#holders.get(name);
    if (holder === undefined) this.#added.push({ name, descriptor });
    else if (holder !== descriptor.digest) this.#disagree(name, ' another image than index.json');
  }

  #disagree(name: string, how = ', index.json does not'): void {
    const image = parseReference(name).familiar();
    const message = `manifest.json names ${quote(image)}${how}; index.json was followed`;
    this.#options.warnings.add('WARN_MANIFEST_JSON', () => ({ message, image }));
  }

  #leaveOut({ config }: DockerArchiveImage, names: readonly string[], reason: string): void {
    const labels = names.map((name) => parseReference(name).familiar());
    for (const image of labels.length > 0 ? labels : [config]) {
      const message = `manifest.json lists ${quote(image)}, which is no image of index.json, and it was left out: ${reason}`;
      this.#options.warnings.add('WARN_MANIFEST_JSON', () => ({ message, image }));
    }
  }

  #tellAbsent(record: ImageRecord): void {
    const image = labelOfRecord(record);
    const message = `index.json lists ${image}, but ${record.descriptor.digest} is missing; it was left out`;
    this.#options.warnings.add('WARN_MANIFEST_JSON', () => ({ message, image }));
  }
}
