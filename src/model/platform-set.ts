import type { PlatformState } from './completeness.js';
import type { Digest } from './digest.js';
import { compatibleWith, exactly, type PlatformMatcher } from './platform-matcher.js';
import { formatPlatformFull, listingKeyOf, normalizePlatform, type Platform } from './platform.js';

/** The state of one manifest of an image. `missing` is the first digest that is not here. */
export interface PlatformOutcome {
  /** Undefined for a manifest that names no platform, an artifact for example. */
  readonly platform?: Platform;
  /** Undefined for a requested platform that the image does not list. */
  readonly digest?: Digest;
  readonly state: PlatformState;
  readonly missing?: Digest;
}

/** A requested platform that an image does not have complete, and why. */
export interface UnmetPlatform {
  readonly platform: Platform;
  readonly state: 'absent' | 'missing';
  readonly missing?: Digest;
}

/** A requested platform: exactly that one, or the best that an image has for a machine of that platform. */
export type PlatformRequest = Platform | { readonly bestFor: Platform };

/** One platform of the request, in normal form, and what matches it. */
interface Wanted {
  readonly platform: Platform;
  readonly isBest: boolean;
  readonly matcher: PlatformMatcher;
}

/**
 * The requested platforms (none: all of them), and what was found of them for each image. Two images are the same only
 * if they are the same object. Holds one small record for each manifest.
 */
export class PlatformSet<Image extends object> {
  readonly #wanted: readonly Wanted[];
  readonly #outcomes = new Map<Image, Map<string, PlatformOutcome>>();

  constructor(requests: readonly PlatformRequest[] = []) {
    const wanted = requests.map(wantedOf);
    this.#wanted = [
      ...new Map(wanted.map((one) => [`${one.isBest} ${formatPlatformFull(one.platform)}`, one])).values(),
    ];
  }

  /** The request in normal form, in its order, without repeats. Empty: every platform. */
  get requested(): readonly Platform[] {
    return this.#wanted.map(({ platform }) => platform);
  }

  /** Whether every platform is wanted, since no list was given. */
  get wantsAll(): boolean {
    return this.#wanted.length === 0;
  }

  /** Whether the choice needs all platforms of an image, not one at a time. */
  get choosesBest(): boolean {
    return this.#wanted.some(({ isBest }) => isBest);
  }

  /** Whether a manifest of this platform passes the filter. One without a platform always passes, as in the Engine. */
  wants(platform: Platform | undefined): boolean {
    if (this.wantsAll || platform === undefined) return true;
    return this.#wanted.some(({ matcher }) => matcher.matches(platform));
  }

  /** The filter for an image that lists these platforms. For a best-platform request, only the best one passes. */
  wantsAmong(listed: readonly Platform[]): (platform: Platform | undefined) => boolean {
    const matchers = this.#wanted.flatMap(({ isBest, matcher }) => {
      if (!isBest) return [matcher];
      const best = listed.filter((platform) => matcher.matches(platform)).toSorted((a, b) => matcher.compare(a, b))[0];
      return best === undefined ? [] : [exactly(best)];
    });
    return (platform) =>
      this.wantsAll || platform === undefined || matchers.some((matcher) => matcher.matches(platform));
  }

  /** Records the state of one manifest. Replaces an earlier record of the same manifest. */
  note(image: Image, outcome: PlatformOutcome): void {
    const known = this.#outcomes.get(image) ?? new Map<string, PlatformOutcome>();
    this.#outcomes.set(image, known);
    known.set(listingKeyOf(outcome.digest, outcome.platform), outcome);
  }

  /** The states of the image's manifests, in the order of its index, then the requested platforms that it lacks. */
  outcomesOf(image: Image): readonly PlatformOutcome[] {
    const absent = this.unmetOf(image).filter(({ state }) => state === 'absent');
    return [...this.#listed(image), ...absent];
  }

  /** The requested platforms for which no complete manifest was found. */
  unmetOf(image: Image): readonly UnmetPlatform[] {
    return this.#wanted.flatMap(({ platform, matcher }): UnmetPlatform[] => {
      const matching = this.#listed(image).filter(
        (found) => found.platform !== undefined && matcher.matches(found.platform),
      );
      if (matching.some(({ state }) => state === 'complete')) return [];
      const missing = matching.find(({ state }) => state === 'missing')?.missing;
      return missing === undefined ? [{ platform, state: 'absent' }] : [{ platform, state: 'missing', missing }];
    });
  }

  #listed(image: Image): readonly PlatformOutcome[] {
    return [...(this.#outcomes.get(image)?.values() ?? [])];
  }
}

function wantedOf(request: PlatformRequest): Wanted {
  const isBest = 'bestFor' in request;
  const platform = normalizePlatform(isBest ? request.bestFor : request);
  return { platform, isBest, matcher: isBest ? compatibleWith(platform) : exactly(platform) };
}
