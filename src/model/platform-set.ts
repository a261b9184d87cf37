import type { PlatformState } from './completeness.js';
import type { Digest } from './digest.js';
import { exactly } from './platform-matcher.js';
import { formatPlatformFull, normalizePlatform, type Platform } from './platform.js';

/** What was found of one manifest of an image. `missing` is the first digest that is not here. */
export interface PlatformOutcome {
  /** Undefined for a manifest that names no platform, an artifact for example. */
  readonly platform?: Platform;
  /** Undefined for a platform that was asked for and is absent. */
  readonly digest?: Digest;
  readonly state: PlatformState;
  readonly missing?: Digest;
}

/** A requested platform that an image cannot give, and why. */
export interface UnmetPlatform {
  readonly platform: Platform;
  readonly state: 'absent' | 'missing';
  readonly missing?: Digest;
}

/**
 * The platforms that were asked for (none: all of them), and what was met of them for each image. Images are told apart
 * by identity. Holds one small record for each manifest.
 */
export class PlatformSet<Image extends object> {
  /** The request in normal form, in its order, without repeats. Empty: every platform. */
  readonly requested: readonly Platform[];
  readonly #outcomes = new Map<Image, Map<string, PlatformOutcome>>();

  constructor(requested: readonly Platform[] = []) {
    const unique = new Map(
      requested.map(normalizePlatform).map((platform) => [formatPlatformFull(platform), platform]),
    );
    this.requested = [...unique.values()];
  }

  /** Whether no list was given, so that every platform is wanted. */
  get wantsAll(): boolean {
    return this.requested.length === 0;
  }

  /** Whether the filter lets a manifest of this platform pass; one without a platform always passes, as in the Engine. */
  wants(platform: Platform | undefined): boolean {
    if (this.wantsAll || platform === undefined) return true;
    return this.requested.some((wanted) => exactly(wanted).matches(platform));
  }

  /** Records what was found of one manifest. A later word about it takes the place of an earlier one. */
  note(image: Image, outcome: PlatformOutcome): void {
    const known = this.#outcomes.get(image) ?? new Map<string, PlatformOutcome>();
    this.#outcomes.set(image, known);
    known.set(`${outcome.digest} ${JSON.stringify(outcome.platform)}`, outcome);
  }

  /** What was found of the image, in the order of its index; the requested platforms that it lacks come last. */
  outcomesOf(image: Image): readonly PlatformOutcome[] {
    const absent = this.unmetOf(image).filter(({ state }) => state === 'absent');
    return [...this.#listed(image), ...absent];
  }

  /** The requested platforms of which nothing complete was found. */
  unmetOf(image: Image): readonly UnmetPlatform[] {
    return this.requested.flatMap((platform): UnmetPlatform[] => {
      const matching = this.#listed(image).filter((found) => isMatch(platform, found));
      if (matching.some(({ state }) => state === 'complete')) return [];
      const missing = matching.find(({ state }) => state === 'missing')?.missing;
      return missing === undefined ? [{ platform, state: 'absent' }] : [{ platform, state: 'missing', missing }];
    });
  }

  #listed(image: Image): readonly PlatformOutcome[] {
    return [...(this.#outcomes.get(image)?.values() ?? [])];
  }
}

function isMatch(requested: Platform, found: PlatformOutcome): boolean {
  return found.platform !== undefined && exactly(requested).matches(found.platform);
}
