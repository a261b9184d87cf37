import type { Digest } from '../model/digest.js';
import type { PlatformSet } from '../model/platform-set.js';
import type { Platform } from '../model/platform.js';
import type { ImageRecord } from '../model/image-list.js';
import type { ManifestNode } from './records.js';
import { Stage } from './stage.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';

/** The request, and what becomes of attestations and referrers: `follow` what they speak of, or `drop`. */
export interface FilterPlatformsOptions {
  readonly platforms: PlatformSet<ImageRecord>;
  readonly referrers?: ReferrerPolicy;
}

/**
 * Drops the manifests that were not asked for, and notes what it saw. What speaks of a manifest goes with it; orphans
 * stay only where every platform is wanted. Holds the digests that were kept of the current image; where the best platform
 * of each image was asked for, also that image's nodes.
 */
export class FilterPlatforms extends Stage<ManifestNode, ManifestNode> {
  readonly #platforms: PlatformSet<ImageRecord>;
  readonly #dropReferrers: boolean;
  #target: ImageRecord | undefined;
  #nodes: ManifestNode[] = [];
  #kept = new Set<Digest>();

  constructor({ platforms, referrers = 'follow' }: FilterPlatformsOptions) {
    super();
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
    // Only a child may go without a platform: a root that names none cannot be what somebody asked for by platform.
    if (node.parent === undefined && node.kind !== 'index' && node.platform === undefined) return wantsAll;
    return wants(node.platform);
  }

  /** Every manifest is noted here, so that reports keep the order of the index; of those kept, more is found out later. */
  #note({ target, platform, descriptor: { digest } }: ManifestNode, isWanted: boolean): void {
    const state = isWanted ? ({ state: 'missing', missing: digest } as const) : ({ state: 'excluded' } as const);
    this.#platforms.note(target, { ...(platform && { platform }), digest, ...state });
  }
}
