import type { PlatformState } from './completeness.js';
import type { Digest } from './digest.js';
import { compatibleWith, exactly, type PlatformMatcher } from './platform-matcher.js';
import { formatPlatformFull, listingKeyOf, normalizePlatform, type Platform } from './platform.js';
import { check, listOf, OBJECT } from './rules.js';

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
  /** The exact ones by their CPU, so that a long list costs no more for each manifest than a short one. */
  readonly #byCpu = new Map<string, Wanted[]>();
  readonly #best: readonly Wanted[];
  readonly #outcomes = new Map<Image, Outcomes>();
  /** Kept until the next note about the image. */
  readonly #unmet = new Map<Image, readonly UnmetPlatform[]>();

  constructor(requests: readonly PlatformRequest[] = []) {
    check({ requests: listOf(OBJECT) }, { requests });
    const wanted = requests.map(wantedOf);
    this.#wanted = [
      ...new Map(wanted.map((one) => [`${one.isBest} ${formatPlatformFull(one.platform)}`, one])).values(),
    ];
    this.#best = this.#wanted.filter(({ isBest }) => isBest);
    for (const one of this.#wanted.filter(({ isBest }) => !isBest)) put(this.#byCpu, cpuOf(one.platform), one);
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
    return this.#best.length > 0;
  }

  /** Whether a manifest of this platform passes the filter. One without a platform always passes, as in the Engine. */
  wants(platform: Platform | undefined): boolean {
    if (this.wantsAll || platform === undefined) return true;
    const sameCpu = this.#byCpu.get(cpuOf(normalizePlatform(platform))) ?? [];
    return [...sameCpu, ...this.#best].some(({ matcher }) => matcher.matches(platform));
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
    const known = this.#outcomes.get(image) ?? new Outcomes();
    this.#outcomes.set(image, known);
    this.#unmet.delete(image);
    known.note(outcome);
  }

  /** The states of the image's manifests, in the order of its index, then the requested platforms that it lacks. */
  outcomesOf(image: Image): readonly PlatformOutcome[] {
    const absent = this.unmetOf(image).filter(({ state }) => state === 'absent');
    return [...this.#listed(image), ...absent];
  }

  /** The requested platforms for which no complete manifest was found. */
  unmetOf(image: Image): readonly UnmetPlatform[] {
    const unmet = this.#unmet.get(image) ?? this.#judge(this.#listed(image));
    this.#unmet.set(image, unmet);
    return unmet;
  }

  #judge(listed: readonly PlatformOutcome[]): readonly UnmetPlatform[] {
    const byCpu = new Map<string, PlatformOutcome[]>();
    for (const found of listed) {
      if (found.platform !== undefined) put(byCpu, cpuOf(normalizePlatform(found.platform)), found);
    }
    return this.#wanted.flatMap(({ platform, isBest, matcher }): UnmetPlatform[] => {
      const candidates = isBest ? listed : (byCpu.get(cpuOf(platform)) ?? []);
      const matching = candidates.filter((found) => found.platform !== undefined && matcher.matches(found.platform));
      if (matching.some(({ state }) => state === 'complete')) return [];
      const missing = matching.find(({ state }) => state === 'missing')?.missing;
      return missing === undefined ? [{ platform, state: 'absent' }] : [{ platform, state: 'missing', missing }];
    });
  }

  #listed(image: Image): readonly PlatformOutcome[] {
    return this.#outcomes.get(image)?.list ?? [];
  }
}

/** Up to this many manifests of an image are looked through for the same one; an index of them would be larger. */
const FEW = 16;

/** The states of one image's manifests, in the order in which they came first. There may be 100 000 images of one. */
class Outcomes {
  readonly #list: PlatformOutcome[] = [];
  #places: Map<string, number> | undefined;

  get list(): readonly PlatformOutcome[] {
    return this.#list;
  }

  note(outcome: PlatformOutcome): void {
    const key = keyOf(outcome);
    const at = this.#find(key);
    this.#list[at] = outcome;
    if (this.#places !== undefined) this.#places.set(key, at);
    else if (this.#list.length > FEW) this.#places = new Map(this.#list.map((known, place) => [keyOf(known), place]));
  }

  /** The place of the same manifest; if it is new, the one after the last. */
  #find(key: string): number {
    const found = this.#places?.get(key) ?? (this.#places ? -1 : this.#list.findIndex((known) => keyOf(known) === key));
    return found === -1 ? this.#list.length : found;
  }
}

function keyOf({ digest, platform }: PlatformOutcome): string {
  return listingKeyOf(digest, platform);
}

/** What platforms that match exactly have in common. Give it normal forms. */
function cpuOf({ os, architecture, variant = '' }: Platform): string {
  return `${os} ${architecture} ${variant}`;
}

function put<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

function wantedOf(request: PlatformRequest): Wanted {
  const isBest = 'bestFor' in request;
  const platform = normalizePlatform(isBest ? request.bestFor : request);
  return { platform, isBest, matcher: isBest ? compatibleWith(platform) : exactly(platform) };
}
