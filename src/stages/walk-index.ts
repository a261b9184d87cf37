import { Documents } from '../content/documents.js';
import { Stage } from '../flow/stage.js';
import { attestedBy, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { platformOf } from '../model/image-config.js';
import type { ImageIndex } from '../model/image-index.js';
import type { ImageRecord } from '../model/image-list.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import { isNamedPlatform, listingKeyOf, type Platform } from '../model/platform.js';
import { CALLBACK, check, optionsOf, withMethods } from '../model/rules.js';
import { DESCRIBED, type ManifestNode } from './records.js';

/** The documents to walk, and where to find their referrers. */
export interface WalkIndexOptions {
  /** Damage that they tolerate counts as missing; damage that they throw ends the walk. */
  readonly documents: Documents;
  /** Returns the referrers of a node that no index lists. Called for each node that was passed on. */
  readonly referrersOf?: (node: ManifestNode) => Promise<readonly Descriptor[]>;
}

const ARGUMENTS = {
  options: optionsOf<WalkIndexOptions>(
    { documents: withMethods('Documents', ['index', 'manifest', 'config', 'has']), referrersOf: CALLBACK },
    ['documents'],
  ),
};

/** What a node inherits from its place in the graph. */
interface Place {
  readonly target: ImageRecord;
  readonly parent?: Digest;
  readonly subject?: Digest;
  readonly platform?: Platform;
  readonly depth: number;
}

/** A child that refers to a digest. */
interface Referrer {
  readonly child: Descriptor;
  readonly subject: Digest;
}

/**
 * Turns images into their indexes and manifests, parents first. Attestations and referrers come right after their
 * subject; those whose subject the index does not list come last in it. Each document is visited once, however many
 * references lead to it. Holds one index for each level of nesting, the visited set, and 16 nodes.
 */
export class WalkIndex extends Stage<ImageRecord, ManifestNode> {
  readonly #options: WalkIndexOptions;
  #visited = new Set<string>();

  protected override readonly rule = DESCRIBED;

  constructor(options: WalkIndexOptions) {
    super();
    check(ARGUMENTS, { options });
    this.#options = options;
  }

  protected override async *each(target: ImageRecord): AsyncGenerator<ManifestNode> {
    this.#visited = new Set();
    yield* this.#walk(target.descriptor, { target, depth: 1 });
  }

  async *#walk(descriptor: Descriptor, place: Place): AsyncGenerator<ManifestNode> {
    // An index may list the same manifest for two platforms: each gets a node.
    const key = listingKeyOf(descriptor.digest, descriptor.platform ?? place.platform);
    if (this.#visited.has(key)) return;
    this.#visited.add(key);
    this.#checkLimits(descriptor, place);
    const node = await this.#nodeOf(descriptor, place);
    yield node;
    if (node.kind === 'index') yield* this.#walkChildren(node, place.depth + 1);
    for (const referrer of (await this.#options.referrersOf?.(node)) ?? []) {
      yield* this.#walk(referrer, { target: place.target, subject: descriptor.digest, depth: place.depth + 1 });
    }
  }

  async *#walkChildren(index: ManifestNode, depth: number): AsyncGenerator<ManifestNode> {
    const document = await this.#options.documents.index(index.descriptor);
    if (document === undefined) return;
    const subjects = await this.#subjectsOf(document);
    const listed = new Set(document.manifests.map(({ digest }) => digest));
    const bound = new Map<Digest, Descriptor[]>();
    const orphans: Referrer[] = [];
    for (const [child, subject] of subjects) {
      if (listed.has(subject)) bound.set(subject, [...(bound.get(subject) ?? []), child]);
      else orphans.push({ child, subject });
    }
    const place = { target: index.target, parent: index.descriptor.digest, depth };
    const inherited = index.platform === undefined ? {} : { platform: index.platform };
    for (const child of document.manifests) {
      if (subjects.has(child)) continue;
      yield* this.#walk(child, { ...place, ...inherited });
      yield* this.#walkBound(child.digest, bound, place);
    }
    for (const { child, subject } of orphans) {
      yield* this.#walk(child, { ...place, subject });
      yield* this.#walkBound(child.digest, bound, place);
    }
    // The rest refer to one another in a circle.
    for (const [subject, rest] of bound) {
      for (const child of rest) yield* this.#walk(child, { ...place, subject });
    }
  }

  async *#walkBound(subject: Digest, bound: Map<Digest, Descriptor[]>, place: Place): AsyncGenerator<ManifestNode> {
    const referrers = bound.get(subject) ?? [];
    bound.delete(subject);
    for (const referrer of referrers) {
      yield* this.#walk(referrer, { ...place, subject });
      yield* this.#walkBound(referrer.digest, bound, place);
    }
  }

  /** The subject of each child that has one: from BuildKit's annotation, or from the `subject` of its own document. */
  async #subjectsOf(document: ImageIndex): Promise<Map<Descriptor, Digest>> {
    const subjects = new Map<Descriptor, Digest>();
    for (const child of document.manifests) {
      const subject =
        attestedBy(child) ??
        (isNamedPlatform(child.platform) ? undefined : await this.#options.documents.subject(child));
      if (subject !== undefined && subject !== child.digest) subjects.set(child, subject);
    }
    return subjects;
  }

  async #nodeOf(descriptor: Descriptor, place: Place): Promise<ManifestNode> {
    const { target, parent, subject } = place;
    const platform = await this.#platformOf(descriptor, place);
    const kind = kindOf(descriptor);
    return {
      target,
      descriptor,
      kind,
      ...(platform && { platform }),
      ...(parent && { parent }),
      ...(subject && { subject }),
    };
  }

  async #platformOf(descriptor: Descriptor, place: Place): Promise<Platform | undefined> {
    if (isNamedPlatform(descriptor.platform)) return descriptor.platform;
    if (place.subject !== undefined) return undefined;
    return (await this.#configPlatformOf(descriptor)) ?? place.platform;
  }

  /** The platform that the config of a manifest names, for descriptors that name none. */
  async #configPlatformOf(descriptor: Descriptor): Promise<Platform | undefined> {
    if (!isManifestType(descriptor.mediaType)) return undefined;
    const { documents } = this.#options;
    const manifest = await documents.manifest(descriptor);
    const read = manifest && (await documents.imageConfig(manifest));
    const named = read && platformOf(read);
    return isNamedPlatform(named) ? named : undefined;
  }

  #checkLimits({ digest, mediaType }: Descriptor, { depth }: Place): void {
    const { maxIndexDepth, maxDescriptors } = this.#options.documents.limits;
    // Only indexes count as levels: a manifest may stand below the last index.
    const levels = isIndexType(mediaType) ? depth : depth - 1;
    if (levels > maxIndexDepth) {
      throw new LadingError('ERR_LIMIT_DEPTH', `${digest}: nested more than ${maxIndexDepth} indexes deep`);
    }
    if (this.#visited.size > maxDescriptors) {
      throw new LadingError('ERR_LIMIT_DESCRIPTORS', `the image lists more than ${maxDescriptors} manifests`);
    }
  }
}

function kindOf({ mediaType }: Descriptor): ManifestNode['kind'] {
  if (isIndexType(mediaType)) return 'index';
  return isManifestType(mediaType) ? 'manifest' : 'opaque';
}
