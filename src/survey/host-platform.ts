import os from 'node:os';
import { LadingError } from '../model/errors.js';
import type { PlatformRequest } from '../model/platform-set.js';
import { isUnknownPlatform, normalizePlatform, parsePlatform, type Platform } from '../model/platform.js';

/** Node's names of processors where they differ from the names of the OCI spec, which are Go's. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** The platform of containers on this machine: Windows on Windows, else Linux. macOS runs them in a Linux machine. */
export function hostPlatform(): Platform {
  const system = os.platform() === 'win32' ? 'windows' : 'linux';
  return normalizePlatform({ os: system, architecture: ARCHITECTURES[os.arch()] ?? os.arch() });
}

/** Parses platforms: texts or OCI objects. `local` is each image's best for the host. Throws ERR_PLATFORM_INVALID. */
export function parseRequest(
  platforms: readonly (string | Platform)[] = [],
  host: Platform = hostPlatform(),
): readonly PlatformRequest[] {
  return platforms.map((requested) => {
    if (requested === 'local') return { bestFor: host };
    const platform = parsePlatform(requested, { hostPlatform: host });
    if (!isUnknownPlatform(platform)) return platform;
    const message = 'unknown/unknown is not a platform: it marks attestations, which follow their image';
    throw new LadingError('ERR_PLATFORM_INVALID', message);
  });
}
