import type { Platform } from '../index.js';
import { CALLBACK, fields, listOf, oneOf, optionsOf, PLATFORM, TEXT, textOr, type Rule } from '../model/rules.js';
import type { RegistrySettings } from '../registry/settings.js';

/** How a server speaks to registries for its clients. */
export interface RegistryAccess {
  /**
   * How registries are reached. Its credentials are those of the server itself, for clients that send none. Its signal
   * and its warnings are not used: each request has its own.
   */
  readonly settings: RegistrySettings;
  /** The registries that clients may name. Default: any for clients on a unix socket, none for those over TCP. */
  readonly hosts?: 'any' | readonly string[];
  /** The platforms of a pull that names none. Default `host`: for each image the one that suits the host best. */
  readonly pullPlatforms?: 'host' | 'all' | readonly (string | Platform)[];
}

/** The rule for such an object. */
export const REGISTRY_ACCESS: Rule = optionsOf<RegistryAccess>(
  {
    settings: fields({ credentials: CALLBACK, tls: CALLBACK, proxyFor: CALLBACK }),
    hosts: textOr(listOf(TEXT), oneOf('any')),
    pullPlatforms: textOr(listOf(textOr(PLATFORM)), oneOf('host', 'all')),
  },
  ['settings'],
);
