import { setTimeout as wait } from 'node:timers/promises';
import { throwIfAborted } from '../model/aborted.js';
import { LadingError } from '../model/errors.js';
import { Authorizer, type Permission } from './authorizer.js';
import { readBody, type Answer } from './answers.js';
import { rateOf } from './broken-answers.js';
import type { HttpAnswer, HttpClient, HttpRequest } from './http-client.js';
import { OriginMemory } from './origin-memory.js';
import { Redaction } from './redaction.js';
import { checkTarget, guardedLookup, linkTarget, ownLookup, redirectedHeaders } from './redirects.js';
import { apiHostOf } from './registry-name.js';
import { refusal, unreachable, type Asked } from './registry-errors.js';
import { askedWait, isTemporary, waitBefore } from './retry-policy.js';
import type { RegistrySettings } from './settings.js';
import { Tokens, type AskForToken } from './tokens.js';
import { bodyOf } from './upload-body.js';
import { TransportError } from './watch.js';

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

  constructor(client: HttpClient, settings: RegistrySettings) {
    this.#client = client;
    this.settings = settings;
    this.memory = new OriginMemory(settings, async (request) => await client.request(request));
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
      return await this.#retrying(
        asked,
        call.once === true ? 1 : this.settings.attempts,
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

  close(): void {
    this.#client.close();
  }

  async #retrying(asked: Asked, attempts: number, attempt: () => Promise<Answer>): Promise<Answer> {
    for (let failed = 1, stale = 0; ; failed += 1) {
      throwIfAborted(this.settings.signal, 'the request');
      await this.#pause(asked.origin);
      let retryAfter: string | undefined;
      let error: unknown;
      try {
        const answer = await attempt();
        if (!isTemporary(answer.status)) return answer;
        retryAfter = answer.headers['retry-after'];
        error = await refusal({ ...answer, body: await readBody(answer) }, asked, this.redaction);
        if (answer.status === 429 || answer.status === 503)
          this.memory.pause(asked.origin, askedWait(retryAfter, this.settings.now()), this.settings);
      } catch (thrown) {
        if (!(thrown instanceof TransportError) || this.settings.signal?.aborted === true) throw thrown;
        // An address that is refused is refused in every try.
        if (thrown.cause instanceof LadingError) throw thrown.cause;
        // A kept connection that the other side had closed: no byte of an answer came, and it costs no try.
        if (thrown.isStale && thrown.kind === 'connection' && (stale += 1) <= 3) {
          failed -= 1;
          continue;
        }
        const raw = rateOf(thrown);
        retryAfter = raw?.retryAfter;
        error =
          raw === undefined
            ? unreachable(thrown, asked)
            : await refusal({ ...raw, body: Buffer.alloc(0) }, asked, this.redaction);
        if (thrown.kind === 'certificate' || thrown.kind === 'not-tls') throw error;
      }
      const ms = waitBefore(failed, retryAfter, { ...this.settings, attempts });
      if (ms === undefined) throw error;
      await wait(ms, undefined, { signal: this.settings.signal });
    }
  }

  async #pause(origin: string): Promise<void> {
    const ms = this.memory.pausedFor(origin, this.settings.now());
    if (ms > 0) await wait(ms, undefined, { signal: this.settings.signal });
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
      checkTarget(target, url, this.#leadRules(asked.host), asked);
      url = target;
    }
  }

  async #once(call: Call, url: URL, first: URL, asked: Asked): Promise<HttpAnswer> {
    const isOwn = this.#isOwn(url, call.permission);
    const authorization = isOwn ? await this.#authorizer.header(call.permission, asked) : undefined;
    const lookup = isOwn
      ? ownLookup(url, this.settings, asked)
      : guardedLookup(url, this.#leadRules(asked.host), asked);
    const answer = await this.#client.request({
      ...this.#requestTo(url, call),
      headers: {
        ...this.#headers,
        ...redirectedHeaders(call.headers, url.origin === first.origin),
        ...(authorization && { authorization }),
      },
      body: call.body?.(),
      lookup,
    });
    if (isOwn) this.memory.sawAddress(call.permission.host, answer.address);
    return answer;
  }

  readonly #askForToken: AskForToken = async (url, { authorization, form, asked: { host } }) => {
    const asked: Asked = { host, what: `a token of ${url.host}`, method: 'GET', origin: url.origin };
    const answer = await this.#retrying(asked, this.settings.attempts, async () => {
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
    const { connectMs, idleMs, signal, tls } = this.settings;
    return {
      method,
      url,
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
