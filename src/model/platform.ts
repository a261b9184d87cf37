import type { Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { check, optionsOf, PLATFORM } from './rules.js';

/** An OCI platform object (image-spec, "Image Index"). Keys are the spec's own names. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

/** Options of parsing. */
export interface ParsePlatformOptions {
  /** Fills the half that the text leaves out. Default linux/amd64. */
  readonly hostPlatform?: Platform;
}

const DEFAULT_HOST: Platform = { os: 'linux', architecture: 'amd64' };

// Both lists are containerd's copies of Go's lists (go/build/syslist.go). A single word must be in one of them.
const KNOWN_OSES: ReadonlySet<string> = new Set(
  `aix android darwin dragonfly freebsd hurd illumos ios js linux
  nacl netbsd openbsd plan9 solaris windows zos`.split(/\s+/),
);
const KNOWN_ARCHITECTURES: ReadonlySet<string> = new Set(
  `386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le
  ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm`.split(/\s+/),
);

/** Other spellings of an architecture. A variant here replaces the given one. */
const ARCHITECTURE_ALIASES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ['386', ''],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

/** Other spellings of a variant, by architecture. '' is the architecture without a variant. */
const VARIANT_ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  amd64: { v1: '' },
  arm: { '': 'v7', '5': 'v5', '6': 'v6', '7': 'v7', '8': 'v8' },
  arm64: { '8': '', v8: '', 'v8.0': '', '9': 'v9', '9.0': 'v9', 'v9.0': 'v9' },
};

const PARSE_ARGUMENTS = { options: optionsOf<ParsePlatformOptions>({ hostPlatform: PLATFORM }) };

const OS_PART = /^([\w-]+)(?:\(([\w.%+-]*)\))?$/;
const WORD = /^[\w.-]+$/;

/**
 * A platform from its text `os[(version[+feature…])][/architecture[/variant]]`, or from one word that is an OS or an
 * architecture. An object is checked and returned. Rules are containerd's. Throws ERR_PLATFORM_INVALID.
 */
export function parsePlatform(input: string | Platform, options: ParsePlatformOptions = {}): Platform {
  check(PARSE_ARGUMENTS, { options });
  if (typeof input !== 'string') return checkPlatform(input);
  const [first = '', architecture, variant, ...rest] = input.split('/');
  if (rest.length > 0) throw invalid(input, 'it has more than three parts');
  if (![architecture, variant].every((part) => part === undefined || WORD.test(part))) {
    throw invalid(input, 'architecture and variant are letters, digits, dot, dash and underscore');
  }
  const host = normalizePlatform(options.hostPlatform ?? DEFAULT_HOST);
  const os = parseOs(first, input);
  return architecture === undefined
    ? completed(first, os, host, input)
    : { ...os, ...parsedCpu(architecture, variant) };
}

/** The text of a platform without OS version and features, as Docker prints it. */
export function formatPlatform(platform: Platform): string {
  PLATFORM(platform, 'platform');
  return joined(platform.os, platform);
}

/** The text of a platform with OS version and features; parses back to the same platform. */
export function formatPlatformFull(platform: Platform): string {
  PLATFORM(platform, 'platform');
  const features = [...(platform['os.features'] ?? [])].sort();
  const options = [platform['os.version'] ?? '', ...features].map(encodeOption).join('+');
  return joined(options === '' ? platform.os : `${platform.os}(${options})`, platform);
}

/**
 * The normal form, the same for all spellings of a platform: lower case, no aliases, `arm64` for `arm64/v8`, `arm/v7`
 * for `arm`, features sorted and unique, no empty fields.
 */
export function normalizePlatform(platform: Platform): Platform {
  PLATFORM(platform, 'platform');
  const os = canonicalOs(platform.os);
  const features = [...new Set(platform['os.features'])].sort();
  return {
    os,
    ...canonicalCpu(platform.architecture, platform.variant),
    ...osOptions(platform['os.version'], features),
  };
}

/** Whether it is `unknown/unknown`, the platform of index entries that are not images (BuildKit attestations). */
export function isUnknownPlatform(platform: Platform): boolean {
  const { os, architecture } = normalizePlatform(platform);
  return os === 'unknown' && architecture === 'unknown';
}

/** Whether OS and architecture are known. Documents may leave them out, or contain `unknown/unknown`. */
export function isNamedPlatform(platform: Platform | undefined): platform is Platform {
  return platform !== undefined && Boolean(platform.os && platform.architecture) && !isUnknownPlatform(platform);
}

type Os = Omit<Platform, 'architecture' | 'variant'>;
type Cpu = Pick<Platform, 'architecture' | 'variant'>;

function parseOs(text: string, input: string): Os {
  const [matched, name = '', options = ''] = OS_PART.exec(text) ?? [];
  if (matched === undefined) throw invalid(input, `${quote(text)} is not an operating system`);
  const [version = '', ...features] = options.split('+').map((option) => decodeOption(option, input));
  if (features.includes('')) throw invalid(input, 'it has an empty OS feature');
  return { os: canonicalOs(name), ...osOptions(version, features) };
}

/** Completes a text of one word: an OS gets the host's architecture, an architecture gets the host's OS. */
function completed(word: string, os: Os, host: Platform, input: string): Platform {
  if (KNOWN_OSES.has(os.os)) return { ...os, ...withoutArmDefault(host) };
  const cpu = withoutArmDefault(canonicalCpu(word));
  if (KNOWN_ARCHITECTURES.has(cpu.architecture)) return { os: host.os, ...cpu };
  throw invalid(input, 'it is neither an operating system nor an architecture that we know');
}

/** Architecture and variant as requested. Keeps a written `v8`, which normalisation would drop. */
function parsedCpu(architecture: string, variant: string | undefined): Cpu {
  const cpu = canonicalCpu(architecture, variant);
  if (variant === undefined) return withoutArmDefault(cpu);
  return cpu.architecture === 'arm64' && cpu.variant === undefined ? { ...cpu, variant: 'v8' } : cpu;
}

/** An implied variant stays only for arm, and only if it is not v7, arm's default. */
function withoutArmDefault({ architecture, variant = '' }: Cpu): Cpu {
  return architecture === 'arm' && variant !== 'v7' && variant !== '' ? { architecture, variant } : { architecture };
}

function canonicalOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === 'macos' ? 'darwin' : lower;
}

function canonicalCpu(name: string, given = ''): Cpu {
  const lower = name.toLowerCase();
  const [architecture, implied] = lookUp(ARCHITECTURE_ALIASES, lower) ?? [lower];
  const spelling = implied ?? given.toLowerCase();
  const variant = lookUp(lookUp(VARIANT_ALIASES, architecture) ?? {}, spelling) ?? spelling;
  return variant === '' ? { architecture } : { architecture, variant };
}

/** An own entry of a table: keys come from outside, and `constructor` must not find anything. */
function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function osOptions(version: string | undefined, features: readonly string[]): Omit<Os, 'os'> {
  return {
    ...(version === undefined || version === '' ? {} : { 'os.version': version }),
    ...(features.length === 0 ? {} : { 'os.features': features }),
  };
}

function joined(os: string, { architecture, variant = '' }: Platform): string {
  return os === '' ? 'unknown' : [os, architecture, variant].filter((part) => part !== '').join('/');
}

/** Percent-encodes more characters than containerd does, so that every result can be parsed. */
function encodeOption(option: string): string {
  return option.replaceAll(/[^\w.-]+/g, (run) =>
    Array.from(new TextEncoder().encode(run), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(
      '',
    ),
  );
}

function decodeOption(option: string, input: string): string {
  try {
    return decodeURIComponent(option);
  } catch (cause) {
    throw invalid(input, `${quote(option)} is not percent-encoded text`, cause);
  }
}

function checkPlatform(value: unknown): Platform {
  if (typeof value !== 'object' || value === null) throw invalid(value, 'it is neither a text nor an object');
  const fields = value as Readonly<Record<string, unknown>>;
  const { os, architecture, 'os.features': features } = fields;
  if (![os, architecture].every((field) => typeof field === 'string' && field !== '')) {
    throw invalid(value, 'os and architecture must be texts that are not empty');
  }
  if (!['variant', 'os.version'].every((key) => ['undefined', 'string'].includes(typeof fields[key]))) {
    throw invalid(value, 'variant and os.version must be texts');
  }
  if (features !== undefined && !(Array.isArray(features) && features.every((item) => typeof item === 'string'))) {
    throw invalid(value, 'os.features must be a list of texts');
  }
  // Every field of the interface was checked above.
  return value as Platform;
}

function invalid(input: unknown, why: string, cause?: unknown): LadingError {
  const shown = typeof input === 'string' ? quote(input) : 'object';
  return new LadingError(
    'ERR_PLATFORM_INVALID',
    `platform ${shown}: ${why}; write it like linux/arm64 or linux/arm/v7`,
    {
      cause,
    },
  );
}

/** One text for each manifest and platform that it is listed for: an index may list a manifest for two platforms. */
export function listingKeyOf(digest: Digest | undefined, platform: Platform | undefined): string {
  return `${digest} ${JSON.stringify(platform)}`;
}
