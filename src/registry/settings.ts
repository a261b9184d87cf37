import type { TlsSettings } from './http-client.js';
import type { Mirrors } from './mirrors.js';

/** Credentials of a registry. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A token that the token service turns into others. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A token that the registry takes as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Finds the credentials of a repository: undefined if there are none. Throws ERR_CREDENTIALS. */
export type FindCredentials = (host: string, path: string) => Promise<Credentials | undefined>;

/** How to reach registries. All that depends on the environment comes from here. */
export interface RegistrySettings {
  /** `lading/VERSION`. */
  readonly userAgent: string;
  readonly credentials: FindCredentials;
  /** What an error says of where credentials were looked for. */
  readonly credentialPlaces: string;
  /** The TLS settings of a host with its port. */
  readonly tls: (host: string) => TlsSettings;
  /** The proxy that leads to an address: an http or https URL, with credentials if it wants some; undefined for none. */
  readonly proxyFor: (url: URL) => URL | undefined;
  /** The registries that are asked before others when images are read. */
  readonly mirrors?: Mirrors;
  /** Hosts that speak http without TLS. */
  readonly plainHttp: ReadonlySet<string>;
  /** Hosts inside a network that registries on the internet may redirect to. */
  readonly allowedRedirects: ReadonlySet<string>;
  /**
   * Whether a registry may not be at a link-local address, such as that of the metadata service of a cloud, unless it is
   * one of `allowedRedirects`: others choose the names here.
   */
  readonly refusesLinkLocal?: boolean;
  /** Tries of one request, the first included. */
  readonly attempts: number;
  /** The longest wait that a registry may ask for, in milliseconds. */
  readonly maxWaitMs: number;
  /** The wait after the first failure, in milliseconds; each further one is twice as long. */
  readonly firstWaitMs: number;
  /** Longest waits of a request, in milliseconds. */
  readonly connectMs: number;
  readonly headersMs: number;
  readonly idleMs: number;
  readonly now: () => number;
  readonly random: () => number;
  /** Told what a user should know and what stops nothing. Called once for each text. */
  readonly onWarning: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Waits of a request, in milliseconds: what registries on object storage need at most. */
export const DEFAULT_WAITS = { firstWaitMs: 500, connectMs: 10_000, headersMs: 60_000, idleMs: 60_000 } as const;

/** A closing PUT may move a blob in the storage behind the registry before it answers. */
export const CLOSING_MS = 10 * 60_000;
