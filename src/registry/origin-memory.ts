import { LadingError } from '../model/errors.js';
import { isPrivate } from './address-rules.js';
import type { HttpAnswer, HttpRequest } from './http-client.js';
import { KnownBlobs } from './known-blobs.js';
import { apiHostOf, isLoopbackHost } from './registry-name.js';
import { unreachable } from './registry-errors.js';
import type { RegistrySettings } from './settings.js';
import { TransportError } from './watch.js';

/** What a registry was seen not to be able to do. */
export type Lack = 'range' | 'referrers' | 'mount';

/** What a registry said last of how much it still allows, in its own words, such as `76;w=21600`. */
export interface RateLimit {
  readonly limit?: string;
  readonly remaining: string;
}

/** Characters of warnings that are shown of one registry. */
const WARNING_CHARACTERS = 4096;

/** What registries have shown in this process. Holds a few lines for each host, and a record for each blob of a push. */
export class OriginMemory {
  readonly blobs = new KnownBlobs();
  readonly #settings: RegistrySettings;
  readonly #request: (request: HttpRequest) => Promise<HttpAnswer>;
  readonly #bases = new Map<string, Promise<URL>>();
  readonly #schemes = new Map<string, string>();
  readonly #lacks = new Set<string>();
  readonly #public = new Set<string>();
  readonly #paused = new Map<string, number>();
  readonly #warnings = new Map<string, Set<string>>();
  readonly #rates = new Map<string, RateLimit>();

  constructor(settings: RegistrySettings, request: (request: HttpRequest) => Promise<HttpAnswer>) {
    this.#settings = settings;
    this.#request = request;
  }

  /** The URL that the paths of a registry start at. */
  async baseOf(host: string, what: string): Promise<URL> {
    const known = this.#bases.get(host) ?? this.#findBase(host, what);
    this.#bases.set(host, known);
    try {
      return await known;
    } catch (error) {
      this.#bases.delete(host);
      throw error;
    }
  }

  /** Whether the scheme is the one that the registry speaks. */
  isOwnScheme(host: string, protocol: string): boolean {
    return this.#schemes.get(host) === protocol;
  }

  note(host: string, lack: Lack, of = ''): void {
    this.#lacks.add(`${host} ${lack} ${of}`);
  }

  lacks(host: string, lack: Lack, of = ''): boolean {
    return this.#lacks.has(`${host} ${lack} ${of}`);
  }

  sawAddress(host: string, address: string | undefined): void {
    if (address !== undefined && !isPrivate(address)) this.#public.add(host);
  }

  isPublic(host: string): boolean {
    return this.#public.has(host);
  }

  /** Lets every request to an origin wait: it has refused one for a while. */
  pause(origin: string, ms: number | undefined, { now, maxWaitMs }: Pick<RegistrySettings, 'now' | 'maxWaitMs'>): void {
    if (ms !== undefined && ms <= maxWaitMs) this.#paused.set(origin, now() + ms);
  }

  pausedFor(origin: string, now: number): number {
    return Math.max(0, (this.#paused.get(origin) ?? 0) - now);
  }

  noteRate(host: string, rate: Readonly<Record<string, string>>): void {
    const { limit, remaining } = rate as Partial<RateLimit>;
    if (remaining !== undefined) this.#rates.set(host, { ...(limit !== undefined && { limit }), remaining });
  }

  rateOf(host: string): RateLimit | undefined {
    return this.#rates.get(host);
  }

  /** The texts of a `Warning` header that were not told before (distribution-spec, "Warnings"). */
  newWarnings(host: string, header: string | readonly string[] | undefined): readonly string[] {
    const known = this.#warnings.get(host) ?? new Set<string>();
    this.#warnings.set(host, known);
    const texts = [...String(header ?? '').matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text);
    const total = [...known].join('').length;
    const fresh = texts.filter((text) => !known.has(text) && total + text.length <= WARNING_CHARACTERS);
    for (const text of fresh) known.add(text);
    return [...new Set(fresh)];
  }

  async #findBase(host: string, what: string): Promise<URL> {
    const api = apiHostOf(host);
    const isPlain = this.#settings.plainHttp.has(host) || (isLoopbackHost(host) && !(await this.#speaksTls(api, what)));
    const base = new URL(`${isPlain ? 'http' : 'https'}://${api}`);
    this.#schemes.set(host, base.protocol);
    return base;
  }

  /** Asks a registry on this computer whether it speaks TLS. Sends no credentials. */
  async #speaksTls(host: string, what: string): Promise<boolean> {
    const { tls, connectMs, headersMs, idleMs, signal, userAgent } = this.#settings;
    const url = new URL(`https://${host}/v2/`);
    const timeouts = { connectMs, headersMs, idleMs };
    try {
      const answer = await this.#request({
        method: 'GET',
        url,
        headers: { 'user-agent': userAgent },
        tls: tls(url.host),
        timeouts,
        signal,
      });
      answer.discard();
      return true;
    } catch (error) {
      if (signal?.aborted) throw new LadingError('ERR_ABORTED', 'the request was aborted', { cause: error });
      const failure = TransportError.from(error);
      if (failure.kind === 'not-tls') return false;
      // A cut connection may be what a server without TLS makes of a handshake.
      if (failure.kind === 'connection' && (failure.cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNRESET')
        return false;
      throw unreachable(failure, { host, what, method: 'GET', origin: url.origin });
    }
  }
}
