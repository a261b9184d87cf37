import { Stage } from '../flow/stage.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PlatformSet } from '../model/platform-set.js';
import type { Platform } from '../model/platform.js';
import { check, oneOf, optionsOf, withMethods } from '../model/rules.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import { NODE, type ManifestNode } from './records.js';

/** The platforms to keep, and whether attestations and referrers `follow` their subject; `drop` leaves them out. */
export interface FilterPlatformsOptions {
  readonly platforms: PlatformSet<ImageRecord>;
  readonly referrers?: ReferrerPolicy;
}

const ARGUMENTS = {
  options: optionsOf<FilterPlatformsOptions>(
    {
      platforms: withMethods('a PlatformSet', ['wants', 'note']),
      referrers: oneOf('follow', 'drop'),
    },
    ['platforms'],
  ),
};

/**
 * Drops the manifests that were not asked for, and notes the state of each. Referrers stay if their subject stays;
 * orphans stay only if every platform is wanted. Holds the kept digests of the current image; if the best platform of
 * each image was asked for, also that image's nodes.
 */
export class FilterPlatforms extends Stage<ManifestNode, ManifestNode> {
  readonly #platforms: PlatformSet<ImageRecord>;
  readonly #dropReferrers: boolean;
  #target: ImageRecord | undefined;
  #nodes: ManifestNode[] = [];
  #kept = new Set<Digest>();

  protected override readonly rule = NODE;

  constructor(options: FilterPlatformsOptions) {
    super();
    check(ARGUMENTS, { options });
    const { platforms, referrers = 'follow' } = options;
    this.#platforms = platforms;
    this.#dropReferrers = referrers === 'drop';
  }

  protected override *each(node: ManifestNode): Generator<ManifestNode> {
    if (node.target !== this.#target) yield* this.#nextImage(node.target);
    if (this.#platforms.choosesBest) this.#nodes.push(node);
    else yield* this.#pass(node, (platform) => this.#platforms.wants(platform));
  }

  protected override *atEnd(): Generator<ManifestNode> {
    yield* this.#nextImage(undefined);
  }

  *#nextImage(target: ImageRecord | undefined): Generator<ManifestNode> {
    const nodes = this.#nodes;
    const listed = nodes.filter(({ subject }) => subject === undefined).map(({ platform }) => platform);
    const wants = this.#platforms.wantsAmong(listed.filter((platform) => platform !== undefined));
    for (const node of nodes) yield* this.#pass(node, wants);
    this.#target = target;
    this.#nodes = [];
    this.#kept = new Set();
  }

  *#pass(node: ManifestNode, wants: (platform: Platform | undefined) => boolean): Generator<ManifestNode> {
    const isWanted = this.#isWanted(node, wants);
    if (node.kind === 'manifest' && node.subject === undefined) this.#note(node, isWanted);
    if (!isWanted) return;
    this.#kept.add(node.descriptor.digest);
    yield node;
  }

  #isWanted(node: ManifestNode, wants: (platform: Platform | undefined) => boolean): boolean {
    const { wantsAll } = this.#platforms;
    if (node.subject !== undefined) return !this.#dropReferrers && (wantsAll || this.#kept.has(node.subject));
    if (node.parent !== undefined && !this.#kept.has(node.parent)) return false;
    // A child without a platform may belong to any; a root without one is never what a request for a platform means.
    if (node.parent === undefined && node.kind !== 'index' && node.platform === undefined) return wantsAll;
    return wants(node.platform);
  }

  /** Notes every manifest here, so that reports keep the order of the index. ListBlobs updates those that are kept. */
  #note({ target, platform, descriptor: { digest } }: ManifestNode, isWanted: boolean): void {
    const state = isWanted ? ({ state: 'missing', missing: digest } as const) : ({ state: 'excluded' } as const);
    this.#platforms.note(target, { ...(platform && { platform }), digest, ...state });
  }
}
