import type { PlatformState } from './completeness.js';
import type { Digest } from './digest.js';
import { compatibleWith, exactly, type PlatformMatcher } from './platform-matcher.js';
import { formatPlatformFull, normalizePlatform, type Platform, listingKeyOf } from './platform.js';

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

/** A platform that is asked for: exactly that one, or the best of an image for a machine of that kind. */
export type PlatformRequest = Platform | { readonly bestFor: Platform };

/** One platform of the request, in normal form, and what will do for it. */
interface Wanted {
  readonly platform: Platform;
  readonly isBest: boolean;
  readonly matcher: PlatformMatcher;
}

/**
 * The platforms that were asked for (none: all of them), and what was met of them for each image. Images are told apart
 * by identity. Holds one small record for each manifest.
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

  /** Whether no list was given, so that every platform is wanted. */
  get wantsAll(): boolean {
    return this.#wanted.length === 0;
  }

  /** Whether what is wanted of an image depends on all that it lists. */
  get choosesBest(): boolean {
    return this.#wanted.some(({ isBest }) => isBest);
  }

  /** Whether the filter may let a manifest of this platform pass; one without a platform always passes, as in the Engine. */
  wants(platform: Platform | undefined): boolean {
    if (this.wantsAll || platform === undefined) return true;
    return this.#wanted.some(({ matcher }) => matcher.matches(platform));
  }

  /** What is wanted of an image that lists these platforms: where the best was asked for, that one alone. */
  wantsAmong(listed: readonly Platform[]): (platform: Platform | undefined) => boolean {
    const matchers = this.#wanted.flatMap(({ isBest, matcher }) => {
      if (!isBest) return [matcher];
      const best = listed.filter((platform) => matcher.matches(platform)).toSorted((a, b) => matcher.compare(a, b))[0];
      return best === undefined ? [] : [exactly(best)];
    });
    return (platform) =>
      this.wantsAll || platform === undefined || matchers.some((matcher) => matcher.matches(platform));
  }

  /** Records what was found of one manifest. A later word about it takes the place of an earlier one. */
  note(image: Image, outcome: PlatformOutcome): void {
    const known = this.#outcomes.get(image) ?? new Map<string, PlatformOutcome>();
    this.#outcomes.set(image, known);
    known.set(listingKeyOf(outcome.digest, outcome.platform), outcome);
  }

  /** What was found of the image, in the order of its index; the requested platforms that it lacks come last. */
  outcomesOf(image: Image): readonly PlatformOutcome[] {
    const absent = this.unmetOf(image).filter(({ state }) => state === 'absent');
    return [...this.#listed(image), ...absent];
  }

  /** The requested platforms of which nothing complete was found. */
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
