import { parsePlatform, type Platform } from '../model/platform.js';
import { Registries } from '../registry/registries.js';
import { parseHost } from '../registry/registry-name.js';
import { RegistryStore } from '../registry/registry-store.js';
import { REGISTRY_SCHEME, StoreNames } from '../registry/store-names.js';
import type { CommonOptions } from './command-context.js';
import { registrySettings } from './registry-access.js';
import type { RegistryOptions } from './registry-options.js';

/** How `lading serve` speaks to registries. */
export interface ServeRegistryOptions extends RegistryOptions {
  readonly clientRegistries?: string;
  readonly registryCredentials?: boolean;
  readonly pullPlatforms?: string;
}

/** What the options say; undefined if clients may name no registry at all. */
export async function registryAccess(options: ServeRegistryOptions & CommonOptions) {
  const { clientRegistries, registryCredentials = false, pullPlatforms = defaultPlatforms(options) } = options;
  if (clientRegistries === 'none') return undefined;
  return {
    settings: await registrySettings({ ...options, anonymous: !registryCredentials }),
    ...(clientRegistries !== undefined && { hosts: hostsIn(clientRegistries) }),
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

/** A registry refuses an index of which only a part is there. */
function defaultPlatforms({ store }: { readonly store?: string }): 'host' | 'all' {
  return registryPlace(store) === undefined ? 'host' : 'all';
}

/** The place of `--store` or LADING_STORE, if that is a registry. */
function registryPlace(store: string | undefined): string | undefined {
  const place = store ?? process.env['LADING_STORE'];
  return place?.startsWith(REGISTRY_SCHEME) === true ? place : undefined;
}

/** The store of a server, if it is a registry: reached with the credentials of this user. */
export async function openRegistryStore(options: RegistryOptions & CommonOptions): Promise<RegistryStore | undefined> {
  const place = registryPlace(options.store);
  if (place === undefined) return undefined;
  const names = StoreNames.parse(place);
  const settings = await registrySettings(options, names.host);
  return new RegistryStore(() => new Registries(settings), names, { now: Date.now });
}
