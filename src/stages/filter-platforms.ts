import type { Digest } from '../model/digest.js';
import type { PlatformSet } from '../model/platform-set.js';
import type { ImageTarget, ManifestNode } from './records.js';
import { Stage } from './stage.js';

/** The request, and what becomes of attestations and referrers: `follow` what they speak of, or `drop`. */
export interface FilterPlatformsOptions {
  readonly platforms: PlatformSet<ImageTarget>;
  readonly referrers?: 'follow' | 'drop';
}

/**
 * Drops the manifests that were not asked for, and notes what it saw. What speaks of a manifest goes with it; orphans
 * stay only where every platform is wanted. Holds the digests that were kept of the current image.
 */
export class FilterPlatforms extends Stage<ManifestNode, ManifestNode> {
  readonly #platforms: PlatformSet<ImageTarget>;
  readonly #dropReferrers: boolean;
  #target: ImageTarget | undefined;
  #kept = new Set<Digest>();

  constructor({ platforms, referrers = 'follow' }: FilterPlatformsOptions) {
    super();
    this.#platforms = platforms;
    this.#dropReferrers = referrers === 'drop';
  }

  protected override *each(node: ManifestNode): Generator<ManifestNode> {
    if (node.target !== this.#target) this.#kept = new Set();
    this.#target = node.target;
    const isWanted = this.#isWanted(node);
    if (node.kind === 'manifest' && node.subject === undefined) this.#note(node, isWanted);
    if (!isWanted) return;
    this.#kept.add(node.descriptor.digest);
    yield node;
  }

  #isWanted(node: ManifestNode): boolean {
    if (node.subject !== undefined)
      return !this.#dropReferrers && (this.#platforms.wantsAll || this.#kept.has(node.subject));
    if (node.parent !== undefined && !this.#kept.has(node.parent)) return false;
    // Only a child may go without a platform: a root that names none cannot be what somebody asked for by platform.
    if (node.parent === undefined && node.kind !== 'index' && node.platform === undefined)
      return this.#platforms.wantsAll;
    return this.#platforms.wants(node.platform);
  }

  /** Every manifest is noted here, so that reports keep the order of the index; of those kept, more is found out later. */
  #note({ target, platform, descriptor: { digest } }: ManifestNode, isWanted: boolean): void {
    const state = isWanted ? ({ state: 'missing', missing: digest } as const) : ({ state: 'excluded' } as const);
    this.#platforms.note(target, { ...(platform && { platform }), digest, ...state });
  }
}
