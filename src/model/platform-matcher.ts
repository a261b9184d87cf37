import { normalizePlatform, type Platform } from './platform.js';
import { listOf, PLATFORM } from './rules.js';

/** Decides which platforms match, and which of two is better. */
export interface PlatformMatcher {
  matches(candidate: Platform): boolean;
  /** Negative if `a` is preferred, positive if `b` is, otherwise 0. */
  compare(a: Platform, b: Platform): number;
}

/** The manifests that a list of platforms selects from an index, by position in the index. */
export interface PlatformSelection {
  readonly matched: readonly number[];
  /** The match that suits the host best, the earlier of equals; -1 if nothing matched. */
  readonly first: number;
}

/** Matches everything and prefers nothing, for a request without a platform list. */
export const anyPlatform: PlatformMatcher = { matches: () => true, compare: () => 0 };

/** Matches platforms with the same normal form, without substitutes. */
export function exactly(platform: Platform): PlatformMatcher {
  return anyOf([platform]);
}

/** Matches what a machine of this platform can run (amd64 also 386, arm/v7 also arm/v6). Prefers its own platform. */
export function compatibleWith(platform: Platform): PlatformMatcher {
  return anyOf(runnableOn(platform));
}

/** Matches exactly the listed platforms, and prefers the earlier in the list. An empty list matches nothing. */
export function anyOf(platforms: readonly Platform[]): PlatformMatcher {
  listOf(PLATFORM)(platforms, 'platforms');
  const wanted = platforms.map(normalizePlatform);
  return {
    matches: (candidate) => positionIn(wanted, normalizePlatform(candidate)) < wanted.length,
    compare: (a, b) => compareIn(wanted, normalizePlatform(a), normalizePlatform(b)),
  };
}

/** The positions that `requested` selects (an empty list: all of them), and the one that suits the host best. */
export function selectPlatforms(
  candidates: readonly Platform[],
  options: { readonly requested: readonly Platform[]; readonly host: Platform },
): PlatformSelection {
  const request = options.requested.length === 0 ? anyPlatform : anyOf(options.requested);
  const matched = [...candidates.entries()].filter(([, candidate]) => request.matches(candidate));
  const preferred = matched.toSorted(([, a], [, b]) => compatibleWith(options.host).compare(a, b));
  return { matched: matched.map(([position]) => position), first: preferred[0]?.[0] ?? -1 };
}

/** The platform itself, then the other platforms that it can run, best first. */
function runnableOn(platform: Platform): readonly Platform[] {
  const own = normalizePlatform(platform);
  const others = substitutesOf(own.architecture, own.variant ?? '');
  return [own, ...others.map(([architecture, variant]) => ({ ...own, architecture, variant }))];
}

type Cpu = readonly [architecture: string, variant: string];

function substitutesOf(architecture: string, variant: string): readonly Cpu[] {
  switch (architecture) {
    case 'amd64':
      return [...levels('amd64', 'v', levelOf(variant) - 1, 1), ['386', '']];
    case 'arm':
      return levels('arm', 'v', levelOf(variant) - 1, 5);
    case 'arm64':
      return arm64SubstitutesOf(variant);
    default:
      return [];
  }
}

/** An arm64 of 9.x also runs 8.(x+5), since 9.0 has the features of 8.5; line 8 ends with 8.9 (Arm ARM, A2). */
function arm64SubstitutesOf(variant: string): readonly Cpu[] {
  const [matched, line, digit = '0'] = /^v?([89])(?:\.(\d))?$/.exec(variant === '' ? 'v8' : variant) ?? [];
  if (matched === undefined) return [];
  const minor = Number(digit);
  const line8 = line === '9' ? Math.min(minor + 5, 9) : minor - 1;
  const line9 = line === '9' ? levels('arm64', 'v9.', minor - 1, 0) : [];
  return [...line9, ...levels('arm64', 'v8.', line8, 0), ...levels('arm', 'v', 8, 5)];
}

function levels(architecture: string, prefix: string, highest: number, lowest: number): Cpu[] {
  const count = Math.max(0, highest - lowest + 1);
  return Array.from({ length: count }, (_, step) => [architecture, `${prefix}${highest - step}`]);
}

/** The number in a variant like `v7`; 0 if there is none. */
function levelOf(variant: string): number {
  return Number(/^v?(\d{1,2})$/.exec(variant)?.[1] ?? 0);
}

/** The first position that matches the candidate; the list's length if none does. All are in normal form. */
function positionIn(wanted: readonly Platform[], candidate: Platform): number {
  const position = wanted.findIndex((platform) => isWanted(platform, candidate));
  return position === -1 ? wanted.length : position;
}

/** Matches first, by list position; then, as in containerd, platforms that would match without their OS features. */
function compareIn(wanted: readonly Platform[], a: Platform, b: Platform): number {
  const byPosition = positionIn(wanted, a) - positionIn(wanted, b);
  if (byPosition !== 0) return byPosition;
  if (positionIn(wanted, a) < wanted.length) return featuresOf(b).length - featuresOf(a).length;
  return positionIn(wanted, withoutFeatures(a)) - positionIn(wanted, withoutFeatures(b));
}

function isWanted(wanted: Platform, candidate: Platform): boolean {
  const features = featuresOf(wanted);
  return (
    wanted.os === candidate.os &&
    wanted.architecture === candidate.architecture &&
    wanted.variant === candidate.variant &&
    (wanted.os !== 'windows' || isWindowsCompatible(wanted['os.version'], candidate['os.version'])) &&
    featuresOf(candidate).every((feature) => features.includes(feature))
  );
}

function featuresOf(platform: Platform): readonly string[] {
  return platform['os.features'] ?? [];
}

function withoutFeatures(platform: Platform): Platform {
  return { ...platform, 'os.features': [] };
}

type WindowsVersion = readonly [major: number, minor: number, build: number];

/** Windows Server 2022. From here on, hosts also run older builds (Microsoft, "container version compatibility"). */
const STABLE_ABI_BUILD = 20_348;

/** Whether a Windows of the wanted version runs the candidate. A missing version matches all; revisions are ignored. */
function isWindowsCompatible(wanted = '', candidate = ''): boolean {
  const host = windowsVersionOf(wanted);
  if (host === undefined || candidate === '') return true;
  const [major, minor, build] = windowsVersionOf(candidate) ?? [0, 0, 0];
  if (major !== host[0] || minor !== host[1]) return false;
  return build === host[2] || (build >= STABLE_ABI_BUILD && build < host[2]);
}

function windowsVersionOf(text: string): WindowsVersion | undefined {
  const [, major = '', minor = '', build = ''] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(text) ?? [];
  return build === '' ? undefined : [Number(major), Number(minor), Number(build)];
}
