import { EngineError, STATUS } from './statuses.js';

/** The newest and the oldest Engine API version that is served. */
export const NEWEST_VERSION = '1.55';
export const OLDEST_VERSION = '1.24';

const NEWEST_MINOR = 55;
const OLDEST_MINOR = 24;
const PREFIX = /^\/v(\d{1,6})\.(\d{1,6})(?=\/|\?|$)/;

/**
 * The minor number of the version that the path asks for, 55 for `/v1.55/…` and for a path without one.
 * Throws an EngineError with the Engine's words for versions that are not served.
 */
export function minorVersionOf(url: string): number {
  const [, major, minor] = PREFIX.exec(url) ?? [];
  if (major === undefined || minor === undefined) return NEWEST_MINOR;
  const asked = `${Number(major)}.${Number(minor)}`;
  if (Number(major) > 1 || (Number(major) === 1 && Number(minor) > NEWEST_MINOR)) {
    const message = `client version ${asked} is too new. Maximum supported API version is ${NEWEST_VERSION}`;
    throw new EngineError(STATUS.badRequest, message);
  }
  if (Number(major) < 1 || Number(minor) < OLDEST_MINOR) {
    const message = `client version ${asked} is too old. Minimum supported API version is ${OLDEST_VERSION}, please upgrade your client to a newer version`;
    throw new EngineError(STATUS.badRequest, message);
  }
  return Number(minor);
}

/** The URL without its version prefix. */
export function withoutVersion(url: string): string {
  const rest = url.replace(PREFIX, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}
