import { throwIfAborted } from '../model/aborted.js';
import { LadingError } from '../model/errors.js';
import { Authorizer, type Permission } from './authorizer.js';
import { readBody, type Answer } from './answers.js';
import type { HttpAnswer, HttpClient, HttpRequest } from './http-client.js';
import { OriginMemory } from './origin-memory.js';
import { Redaction } from './redaction.js';
import { checkTarget, guardedLookup, linkTarget, ownLookup, redirectedHeaders } from './redirects.js';
import { apiHostOf } from './registry-name.js';
import { rateOf, refusal, type Asked } from './registry-errors.js';
import { Retries } from './retries.js';
import type { RegistrySettings } from './settings.js';
import { Tokens, type AskForToken } from './tokens.js';
import { bodyOf } from './upload-body.js';

/** One request to a registry, as its endpoints see it. */
export interface Call {
  readonly permission: Permission;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** A path from `/v2/` on, or the URL that an earlier answer gave. */
  readonly to: string | URL;
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Opens the body; called once for each try. Its length is in the headers. */
  readonly body?: (() => AsyncIterable<Uint8Array>) | undefined;
  /** Whether a failure is left to the caller at once, since only it knows how far a body came. */
  readonly once?: boolean;
  /** Whether a redirect to another origin is an answer, and not followed. */
  readonly stays?: boolean;
  readonly headersMs?: number;
  /** Whether it is sent once, and also after an abort: to clean up. */
  readonly isLast?: boolean;
}

/** How many redirects are followed. */
const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const TOKEN_BYTES = 64 * 1024;

/**
 * Sends requests to registries: with what they ask for, again after a failure, along redirects. Nothing else sends.
 * Credentials go to the origin of the registry and to its token service only.
 */
export class Exchange {
  readonly redaction = new Redaction();
  readonly memory: OriginMemory;
  readonly settings: RegistrySettings;
  readonly #client: HttpClient;
  readonly #authorizer: Authorizer;
  readonly #retries: Retries;

  constructor(client: HttpClient, settings: RegistrySettings) {
    this.#client = client;
    this.settings = settings;
    this.memory = new OriginMemory(settings, async (request) => await client.request(request));
    this.#retries = new Retries(settings, this.memory, this.redaction);
    const tokens = new Tokens(this.#askForToken, settings.now, this.redaction);
    this.#authorizer = new Authorizer(settings, tokens, this.redaction, (realm, origin, asked) =>
      checkTarget(realm, origin, this.#leadRules(asked.host), asked),
    );
  }

  /** Sends a request and gives the answer, whatever its status, unless the status is temporary to the last try. */
  async send(call: Call): Promise<Answer> {
    const base = await this.memory.baseOf(call.permission.host, call.what);
    const url = typeof call.to === 'string' ? new URL(call.to, base) : call.to;
    const asked = { host: call.permission.host, what: call.what, method: call.method, origin: url.origin };
    if (call.isLast === true) return await this.#authorized(call, url, asked);
    try {
      return await this.#retries.run(
        asked,
        { attempts: call.once === true ? 1 : this.settings.attempts, isPaced: call.body === undefined },
        async () => await this.#authorized(call, url, asked),
      );
    } catch (error) {
      throwIfAborted(this.settings.signal, 'the request');
      throw error;
    }
  }

  /** The error of an answer that was not expected. Reads and discards its body. */
  async refusalOf(answer: Answer, call: Pick<Call, 'permission' | 'what' | 'method'>): Promise<LadingError> {
    const asked = { host: call.permission.host, what: call.what, method: call.method, origin: answer.url.origin };
    if (answer.status === 401) {
      answer.discard();
      return await this.#authorizer.refused(call.permission, asked);
    }
    return await refusal({ ...answer, body: await readBody(answer) }, asked, this.redaction);
  }

  /** Throws ERR_REDIRECT_REFUSED for an address that an answer may not lead to. */
  checkLead(target: URL, from: URL, asked: Asked): void {
    checkTarget(target, from, this.#leadRules(asked.host), asked);
  }

  close(): void {
    this.#client.close();
  }

  async #authorized(call: Call, url: URL, asked: Asked): Promise<Answer> {
    const { permission } = call;
    const first = await this.#followed(call, url, asked);
    if (first.status !== 401 || !this.#isOwn(first.url, permission)) return first;
    const challenge = first.headers['www-authenticate'] ?? (await this.#challengeOf(permission, asked));
    if (!(await this.#authorizer.learn(challenge, first.url, permission, asked))) return first;
    first.discard();
    return await this.#followed(call, url, asked);
  }

  /** Some registries tell only at `/v2/` how they want to be asked. */
  async #challengeOf({ host }: Permission, asked: Asked): Promise<string | undefined> {
    const url = new URL('/v2/', await this.memory.baseOf(host, asked.what));
    const lookup = ownLookup(url, this.settings, asked);
    const answer = await this.#client.request({ ...this.#requestTo(url, { method: 'GET' }), lookup });
    answer.discard();
    return answer.headers['www-authenticate'];
  }

  async #followed(call: Call, first: URL, asked: Asked): Promise<Answer> {
    let url = first;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#once(call, url, first, asked);
      this.#warn(asked, answer);
      if (!REDIRECTS.has(answer.status) || answer.headers.location === undefined) return { ...answer, url };
      const isReading = call.method === 'GET' || call.method === 'HEAD';
      if (!isReading && answer.status !== 307 && answer.status !== 308) return { ...answer, url };
      const target = linkTarget(answer.headers.location, url, asked);
      if (call.stays === true && target.origin !== url.origin) return { ...answer, url };
      answer.discard();
      if (redirects === MAX_REDIRECTS)
        throw new LadingError(
          'ERR_REDIRECT_REFUSED',
          `registry ${asked.host}: ${asked.what}: more than ${MAX_REDIRECTS} redirects`,
          { details: { host: asked.host, origin: asked.origin } },
        );
      this.checkLead(target, url, asked);
      url = target;
    }
  }

  async #once(call: Call, url: URL, first: URL, asked: Asked): Promise<HttpAnswer> {
    const isOwn = this.#isOwn(url, call.permission);
    const authorization = isOwn ? await this.#authorizer.header(call.permission, asked) : undefined;
    const lookup = isOwn
      ? ownLookup(url, this.settings, asked)
      : guardedLookup(url, this.#leadRules(asked.host), asked);
    const request = this.#requestTo(url, call);
    const answer = await this.#client.request({
      ...request,
      headers: {
        ...this.#headers,
        ...redirectedHeaders(call.headers, url.origin === first.origin),
        ...(authorization && { authorization }),
      },
      body: call.body?.(),
      lookup,
    });
    if (isOwn) this.memory.noteRate(call.permission.host, rateOf(answer.headers));
    // Behind a proxy the address is that of the proxy.
    if (isOwn && request.proxy === undefined) this.memory.sawAddress(call.permission.host, answer.address);
    return answer;
  }

  readonly #askForToken: AskForToken = async (url, { authorization, form, asked: { host } }) => {
    const asked: Asked = { host, what: `a token of ${url.host}`, method: 'GET', origin: url.origin };
    const answer = await this.#retries.run(asked, { attempts: this.settings.attempts, isPaced: false }, async () => {
      const answered = await this.#client.request({
        ...this.#requestTo(url, { method: form === undefined ? 'GET' : 'POST' }),
        headers: {
          ...this.#headers,
          ...(authorization && { authorization }),
          ...(form !== undefined && {
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': String(Buffer.byteLength(form)),
          }),
        },
        body: form === undefined ? undefined : bodyOf(Buffer.from(form)),
        lookup: guardedLookup(url, this.#leadRules(host), asked),
      });
      return { ...answered, url };
    });
    return { status: answer.status, body: await readBody(answer, TOKEN_BYTES, asked) };
  };

  get #headers(): Readonly<Record<string, string>> {
    return { 'user-agent': this.settings.userAgent, 'accept-encoding': 'identity' };
  }

  #requestTo(url: URL, { method, headersMs, isLast }: Pick<Call, 'method' | 'headersMs' | 'isLast'>): HttpRequest {
    const { connectMs, idleMs, signal, tls, proxyFor } = this.settings;
    const proxy = proxyFor(url);
    this.redaction.add(proxy && decodeURIComponent(proxy.password));
    return {
      method,
      url,
      proxy,
      headers: this.#headers,
      tls: tls(url.host),
      timeouts: { connectMs, headersMs: headersMs ?? this.settings.headersMs, idleMs },
      signal: isLast === true ? undefined : signal,
    };
  }

  #isOwn(url: URL, { host }: Permission): boolean {
    return (
      url.host === new URL(`${url.protocol}//${apiHostOf(host)}`).host && this.memory.isOwnScheme(host, url.protocol)
    );
  }

  #leadRules(host: string) {
    return { isPublic: this.memory.isPublic(host), allowed: this.settings.allowedRedirects };
  }

  #warn({ host }: Asked, { headers }: HttpAnswer): void {
    for (const text of this.memory.newWarnings(host, headers['warning']))
      this.settings.onWarning(`registry ${host} says: ${this.redaction.hide(text)}`);
  }
}
