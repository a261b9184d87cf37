import { LadingError } from '../model/errors.js';
import { parseChallenges, usableChallenge, type Challenge } from './challenge.js';
import type { Redaction } from './redaction.js';
import { linkTarget } from './redirects.js';
import type { Asked } from './registry-errors.js';
import type { Credentials, RegistrySettings } from './settings.js';
import { allScopes, basicOf, type Tokens, type TokenWish } from './tokens.js';

/** What a request needs the right for. */
export interface Permission {
  readonly host: string;
  /** The repository, to find its credentials; empty for the registry itself. */
  readonly path: string;
  readonly scopes: readonly string[];
}

/** Knows how each registry wants to be asked, once it has said so, and answers with credentials and tokens. */
export class Authorizer {
  readonly #settings: Pick<RegistrySettings, 'credentials' | 'credentialPlaces'>;
  readonly #tokens: Tokens;
  readonly #redaction: Redaction;
  readonly #challenges = new Map<string, { readonly challenge: Challenge; readonly origin: URL }>();

  readonly #checkRealm: (realm: URL, origin: URL, asked: Asked) => void;

  constructor(
    settings: Pick<RegistrySettings, 'credentials' | 'credentialPlaces'>,
    tokens: Tokens,
    redaction: Redaction,
    checkRealm: (realm: URL, origin: URL, asked: Asked) => void,
  ) {
    this.#checkRealm = checkRealm;
    this.#settings = settings;
    this.#tokens = tokens;
    this.#redaction = redaction;
  }

  /** The `Authorization` header for a request; undefined as long as the registry asked for none. */
  async header(permission: Permission, asked: Asked): Promise<string | undefined> {
    const known = this.#challenges.get(permission.host);
    if (known === undefined) return undefined;
    const credentials = await this.#credentialsOf(permission);
    if (credentials?.kind === 'bearer') return `Bearer ${credentials.token}`;
    if (known.challenge.scheme === 'bearer') {
      return `Bearer ${await this.#tokens.get(wishOf(known, permission, credentials, asked))}`;
    }
    if (credentials?.kind === 'password') return basicOf(credentials, this.#redaction);
    throw this.#withoutCredentials(asked);
  }

  /**
   * Learns from a 401. Returns false if it has no challenge that can be answered. A token that was refused is dropped.
   */
  async learn(header: string | undefined, origin: URL, permission: Permission, asked: Asked): Promise<boolean> {
    const challenge = usableChallenge(parseChallenges(header === undefined ? [] : [header]));
    if (challenge === undefined) return false;
    const known = { challenge, origin };
    if (challenge.scheme === 'bearer') {
      const wish = wishOf(known, permission, await this.#credentialsOf(permission), asked);
      this.#checkRealm(wish.realm, origin, asked);
      this.#tokens.forget(wish);
    }
    this.#challenges.set(permission.host, known);
    return true;
  }

  /** The error of a registry that refuses what it was shown. */
  async refused(permission: Permission, asked: Asked): Promise<LadingError> {
    const credentials = await this.#credentialsOf(permission);
    if (credentials === undefined) return this.#withoutCredentials(asked);
    const message = `registry ${asked.host}: ${asked.what}: the credentials were refused, or it does not exist; use lading login ${asked.host}`;
    return new LadingError('ERR_REGISTRY_AUTH', message, {
      details: { host: asked.host, origin: asked.origin, status: 401 },
    });
  }

  #withoutCredentials({ host, what, origin }: Asked): LadingError {
    const places = this.#settings.credentialPlaces;
    const message = `registry ${host}: ${what}: credentials are needed, and none were found in ${places}; use lading login ${host}; or it does not exist`;
    return new LadingError('ERR_REGISTRY_AUTH', message, { details: { host, origin, status: 401 } });
  }

  async #credentialsOf({ host, path }: Permission): Promise<Credentials | undefined> {
    const found = await this.#settings.credentials(host, path);
    this.#redaction.add(found?.kind === 'password' ? found.password : found?.token);
    if (found?.kind === 'password') basicOf(found, this.#redaction);
    return found;
  }
}

function wishOf(
  { challenge, origin }: { readonly challenge: Challenge; readonly origin: URL },
  { scopes }: Permission,
  credentials: Credentials | undefined,
  asked: Asked,
): TokenWish {
  const realm = linkTarget(challenge.parameters.get('realm'), origin, asked);
  return { realm, challenge, scopes: allScopes(scopes, challenge), credentials, asked };
}
