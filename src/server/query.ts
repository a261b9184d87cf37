import { LadingError, parsePlatform, type Platform } from '../index.js';
import { EngineError, STATUS } from './statuses.js';

/** A boolean parameter as the Engine reads it: absent, empty, `0`, `no`, `false` and `none` are false. */
export function isTrue(text: string | undefined): boolean {
  return !['', '0', 'no', 'false', 'none'].includes((text ?? '').trim().toLowerCase());
}

/** The API versions from which save and load take a `platform`, and from which they take several. */
const PLATFORM_MINOR = 48;
const PLATFORMS_MINOR = 52;

/** Most platforms of one request: each is compared with every manifest of every image in it. */
const MAX_PLATFORMS = 100;

/** The platforms of a repeated parameter. Throws an EngineError with the Engine's words, and for too many. */
export function platformsOf(texts: readonly string[]): readonly Platform[] {
  if (texts.length <= MAX_PLATFORMS) return texts.map(platformOf);
  throw new EngineError(STATUS.badRequest, `a request names at most ${MAX_PLATFORMS} platforms`);
}

/** The `platform` parameters of a save or load. Throws an EngineError with the Engine's words. */
export function transferPlatforms(texts: readonly string[] = [], minor: number): readonly Platform[] {
  if (minor < PLATFORM_MINOR) return [];
  if (texts.length > 1 && minor < PLATFORMS_MINOR) {
    const message = 'multiple platform parameters are not supported in this API version; use API version 1.52 or later';
    throw new EngineError(STATUS.badRequest, message);
  }
  return platformsOf(texts);
}

/** A platform parameter, a JSON object. Throws an EngineError with the Engine's words. */
export function platformOf(text: string): Platform {
  const { os, architecture, ...rest } = parseObject(text);
  if (!isText(os) || !isText(architecture)) {
    throw new EngineError(STATUS.badRequest, 'both OS and Architecture must be provided');
  }
  const { variant, 'os.version': version, 'os.features': features } = rest;
  try {
    return parsePlatform({
      os,
      architecture,
      ...(isText(variant) && { variant }),
      ...(isText(version) && { 'os.version': version }),
      ...(Array.isArray(features) && { 'os.features': features as readonly string[] }),
    });
  } catch (error) {
    throw failedToParse(error);
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw failedToParse(error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw failedToParse(new Error('not a JSON object'));
  // Neither null nor an array; the caller checks each field.
  return value as Readonly<Record<string, unknown>>;
}

function failedToParse(cause: unknown): EngineError {
  const why = cause instanceof LadingError || cause instanceof Error ? cause.message : String(cause);
  return new EngineError(STATUS.badRequest, `failed to parse platform: ${why}`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
