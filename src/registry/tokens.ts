import { parseStrictJson } from '../content/strict-json.js';
import { LadingError } from '../model/errors.js';
import { scopesOf, type Challenge } from './challenge.js';
import type { Redaction } from './redaction.js';
import { brokenProtocol, type Asked } from './registry-errors.js';
import type { Credentials } from './settings.js';

/** An answer of the token service. */
export interface TokenAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** Sends one request to a token service: with the form, or without one as GET. */
export type AskForToken = (
  url: URL,
  request: { readonly authorization?: string; readonly form?: string; readonly asked: Asked },
) => Promise<TokenAnswer>;

/** Where and for what a token is wanted. */
export interface TokenWish {
  readonly realm: URL;
  readonly challenge: Challenge;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly asked: Asked;
}

interface Token {
  readonly text: string;
  readonly expires: number;
}

/** The life of a token that tells none (distribution, "Token Authentication Specification"), in seconds. */
const DEFAULT_SECONDS = 60;

/** A token is renewed when less than this is left, in milliseconds, or a tenth of its life. */
const RESERVE_MS = 10_000;

/** Answers of token services that know no POST. */
const NO_POST: ReadonlySet<number> = new Set([400, 401, 404, 405]);

/** The actions of a scope, if one of them is to delete. */
const DELETING = /:(?:[a-z,]+,)?delete(?:,[a-z,]+)?$/;

/** Fetches tokens and keeps them in memory. Of several requests for one token only the first fetches it. */
export class Tokens {
  readonly #ask: AskForToken;
  readonly #now: () => number;
  readonly #redaction: Redaction;
  readonly #tokens = new Map<string, Promise<Token>>();
  /** Refresh tokens that took the place of the first one, by that. */
  readonly #renewed = new Map<string, string>();

  constructor(ask: AskForToken, now: () => number, redaction: Redaction) {
    this.#ask = ask;
    this.#now = now;
    this.#redaction = redaction;
  }

  /** A token that is still good for a while. */
  async get(wish: TokenWish): Promise<string> {
    const key = keyOf(wish);
    const known = await this.#tokens.get(key)?.catch(() => undefined);
    if (known !== undefined && known.expires > this.#now()) return known.text;
    const fetching = this.#fetching(key, known) ?? this.#fetch(wish);
    this.#tokens.set(key, fetching);
    return (await fetching).text;
  }

  /** Drops a token that was refused. */
  forget(wish: TokenWish): void {
    this.#tokens.delete(keyOf(wish));
  }

  /** The fetch that another request began meanwhile. */
  #fetching(key: string, old: Token | undefined): Promise<Token> | undefined {
    const current = this.#tokens.get(key);
    return current === undefined || old !== undefined ? undefined : current.catch(async () => await current);
  }

  async #fetch(wish: TokenWish): Promise<Token> {
    const { credentials, asked, scopes } = wish;
    let answer = await this.#request(wish);
    const whole = scopes.map((scope) => scope.replace(DELETING, ':*'));
    // Quay knows no right to delete, only all rights.
    if (answer.status === 400 && scopes.some((scope) => DELETING.test(scope)))
      answer = await this.#request({ ...wish, scopes: whole });
    if (answer.status !== 200) throw this.#refused(answer.status, wish);
    return await this.#read(answer.body, asked, credentials);
  }

  async #request(wish: TokenWish): Promise<TokenAnswer> {
    const { credentials } = wish;
    return credentials?.kind === 'identity' ? await this.#refresh(wish, credentials.token) : await this.#plain(wish);
  }

  async #plain({ realm, challenge, scopes, credentials, asked }: TokenWish): Promise<TokenAnswer> {
    const url = new URL(realm);
    const service = challenge.parameters.get('service');
    if (service !== undefined) url.searchParams.append('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (credentials?.kind !== 'password') return await this.#ask(url, { asked });
    url.searchParams.append('account', credentials.username);
    return await this.#ask(url, { authorization: basicOf(credentials, this.#redaction), asked });
  }

  async #refresh(wish: TokenWish, first: string): Promise<TokenAnswer> {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'lading' });
    const service = wish.challenge.parameters.get('service');
    if (service !== undefined) form.append('service', service);
    form.append('scope', wish.scopes.join(' '));
    form.append('refresh_token', this.#renewed.get(first) ?? first);
    const answer = await this.#ask(wish.realm, { form: form.toString(), asked: wish.asked });
    if (!NO_POST.has(answer.status)) return answer;
    return await this.#plain({ ...wish, credentials: { kind: 'password', username: '<token>', password: first } });
  }

  async #read(body: Buffer, asked: Asked, credentials: Credentials | undefined): Promise<Token> {
    const fields = await fieldsOf(body);
    const text = fields?.['token'] ?? fields?.['access_token'];
    if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text))
      throw brokenProtocol(asked, 'the token service gave no token');
    this.#redaction.add(text);
    const { refresh_token: renewed, expires_in: seconds } = fields ?? {};
    if (credentials?.kind === 'identity' && typeof renewed === 'string') {
      this.#redaction.add(renewed);
      this.#renewed.set(credentials.token, renewed);
    }
    // Counted from now: the clock of the service may be another one, so what it says of the start does not help.
    const life = (typeof seconds === 'number' && seconds > 0 ? seconds : DEFAULT_SECONDS) * 1000;
    return { text, expires: this.#now() + life - Math.min(RESERVE_MS, life / 2) };
  }

  #refused(status: number, { asked, credentials }: TokenWish): LadingError {
    const { host, what, origin } = asked;
    const details = { host, origin, status };
    if (status === 429 || status >= 500) {
      const code = status === 429 ? 'ERR_REGISTRY_RATE' : 'ERR_REGISTRY_UNAVAILABLE';
      return new LadingError(
        code,
        `registry ${host}: ${what}: its token service has status ${status}; try again later`,
        { details },
      );
    }
    const why =
      credentials === undefined
        ? `no credentials were found, and without them the token service refuses (status ${status}); use lading login ${host}`
        : `the token service refuses the credentials (status ${status}); use lading login ${host}`;
    return new LadingError('ERR_REGISTRY_AUTH', `registry ${host}: ${what}: ${why}`, { details });
  }
}

async function fieldsOf(body: Buffer): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const value = await parseStrictJson(body, 'the token', 8);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** The header for Basic. Notes its form as a secret, too. */
export function basicOf(
  { username, password }: { readonly username: string; readonly password: string },
  redaction: Redaction,
): string {
  const encoded = Buffer.from(`${username}:${password}`).toString('base64');
  redaction.add(password);
  redaction.add(encoded);
  return `Basic ${encoded}`;
}

/** What is asked of a repository and what the challenge names, each scope once. */
export function allScopes(own: readonly string[], challenge: Challenge): readonly string[] {
  return [...new Set([...own, ...scopesOf(challenge)])].toSorted();
}

function keyOf({ realm, challenge, scopes, credentials }: TokenWish): string {
  const who = credentials === undefined ? '' : JSON.stringify(credentials);
  return JSON.stringify([realm.href, challenge.parameters.get('service'), scopes, who]);
}
