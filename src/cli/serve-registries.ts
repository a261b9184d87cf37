import { parsePlatform, type Platform } from '../model/platform.js';
import { parseHost } from '../registry/registry-name.js';
import type { OutputOptions } from './console.js';
import { registrySettings } from './registry-access.js';
import type { RegistryOptions } from './registry-options.js';

/** How `lading serve` speaks to registries. */
export interface ServeRegistryOptions extends RegistryOptions {
  readonly registries?: string;
  readonly registryCredentials?: boolean;
  readonly pullPlatforms: string;
}

/** What the options say; undefined if clients may name no registry at all. */
export async function registryAccess(options: ServeRegistryOptions & OutputOptions) {
  const { registries, registryCredentials = false, pullPlatforms } = options;
  if (registries === 'none') return undefined;
  return {
    settings: await registrySettings({ ...options, anonymous: !registryCredentials }),
    ...(registries !== undefined && { hosts: hostsIn(registries) }),
    pullPlatforms: platformsIn(pullPlatforms),
  };
}

function hostsIn(text: string): 'any' | readonly string[] {
  return text === 'any' ? 'any' : text.split(',').map(parseHost);
}

function platformsIn(text: string): 'host' | 'all' | readonly Platform[] {
  if (text === 'host' || text === 'all') return text;
  return text.split(',').map((one) => parsePlatform(one.trim()));
}
