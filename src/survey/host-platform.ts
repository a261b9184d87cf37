import os from 'node:os';
import { LadingError } from '../model/errors.js';
import type { PlatformRequest } from '../model/platform-set.js';
import { isUnknownPlatform, normalizePlatform, parsePlatform, type Platform } from '../model/platform.js';

/** Node's names of processors that differ from those of the OCI spec (which are Go's). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** The platform that containers run on here: Linux, since on other systems they run in a Linux machine. */
export function hostPlatform(): Platform {
  const system = os.platform() === 'win32' ? 'windows' : 'linux';
  return normalizePlatform({ os: system, architecture: ARCHITECTURES[os.arch()] ?? os.arch() });
}

/** A request for platforms: texts or OCI objects; `local` is the best of each image for the host. ERR_PLATFORM_INVALID. */
export function parseRequest(
  platforms: readonly (string | Platform)[] = [],
  host: Platform = hostPlatform(),
): readonly PlatformRequest[] {
  return platforms.map((requested) => {
    if (requested === 'local') return { bestFor: host };
    const platform = parsePlatform(requested, { hostPlatform: host });
    if (!isUnknownPlatform(platform)) return platform;
    const message = 'unknown/unknown marks attestations and is no platform; they follow their image';
    throw new LadingError('ERR_PLATFORM_INVALID', message);
  });
}
