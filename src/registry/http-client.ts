import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { proxyAddress, proxyHeaders, TunnelAgent } from './tunnel-agent.js';
import { UploadBody } from './upload-body.js';
import { TransportError, Watch, type Timeouts } from './watch.js';

/*
 * The only file that speaks HTTP. It knows nothing of registries: it sends one request and gives the answer, without
 * redirects, retries or credentials. Another client can take its place.
 */

/** How to check the other side, and how to show who we are. Texts are PEM. */
export interface TlsSettings {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

/** One request. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** The proxy that leads there. */
  readonly proxy?: URL | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent in order, no faster than the other side takes it. */
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  readonly tls?: TlsSettings | undefined;
  readonly lookup?: LookupFunction | undefined;
  readonly timeouts: Timeouts;
  readonly signal?: AbortSignal | undefined;
}

/** An answer. Its body must be read to the end or discarded. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The raw bytes. Throws a TransportError if the connection fails; a body without a length may just end early. */
  readonly body: AsyncIterable<Buffer>;
  /** Gives the body up. */
  readonly discard: () => void;
  /** The address of the other side. */
  readonly address: string | undefined;
}

/** Registries and the stores behind them send a few KiB; Node's own limit of 16 KiB is too near for signed URLs. */
const MAX_HEADER_BYTES = 64 * 1024;
const AGENT = {
  keepAlive: true,
  keepAliveMsecs: 20_000,
  maxSockets: 8,
  maxFreeSockets: 4,
  scheduling: 'lifo',
} as const;

/** Sends requests over connections that it keeps open until `close`. */
export class HttpClient {
  readonly #plain = new http.Agent(AGENT);
  readonly #secure = new https.Agent(AGENT);
  readonly #tunnels = new Map<string, TunnelAgent>();

  /** Sends a request. Throws a TransportError if no answer comes. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const { method, url, proxy, headers, tls, lookup, signal } = request;
    const isSecure = url.protocol === 'https:';
    const options = {
      method,
      headers,
      maxHeaderSize: MAX_HEADER_BYTES,
      ...(signal && { signal }),
      // Behind a proxy it is the proxy that looks names up.
      ...(lookup && proxy === undefined && { lookup }),
    };
    const secure = { ...options, minVersion: 'TLSv1.2', ...tlsOf(tls) } as const;
    const sent = isSecure
      ? https.request(url, { ...secure, agent: proxy === undefined ? this.#secure : this.#tunnelThrough(proxy) })
      : this.#requestPlain(url, proxy, options);
    return await answerOf(sent, request);
  }

  /** Without TLS a proxy gets the whole address (RFC 9112, 3.2.2). */
  #requestPlain(url: URL, proxy: URL | undefined, options: http.RequestOptions): http.ClientRequest {
    if (proxy === undefined) return http.request(url, { ...options, agent: this.#plain });
    const headers = { ...(options.headers as Record<string, string>), host: url.host, ...proxyHeaders(proxy) };
    const isSecure = proxy.protocol === 'https:';
    return (isSecure ? https : http).request({
      ...options,
      ...proxyAddress(proxy),
      path: url.href,
      headers,
      agent: isSecure ? this.#secure : this.#plain,
    });
  }

  #tunnelThrough(proxy: URL): TunnelAgent {
    const agent = this.#tunnels.get(proxy.href) ?? new TunnelAgent(proxy, AGENT);
    this.#tunnels.set(proxy.href, agent);
    return agent;
  }

  /** Closes every connection. */
  close(): void {
    for (const agent of this.#tunnels.values()) agent.destroy();
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

function tlsOf({ ca, ...rest }: TlsSettings = {}): https.RequestOptions {
  return { ...rest, ...(ca && { ca: [...ca] }) };
}

async function answerOf(sent: http.ClientRequest, { body, timeouts }: HttpRequest): Promise<HttpAnswer> {
  const watch = new Watch(sent, timeouts);
  const upload = body && new UploadBody(sent, body, watch);
  return await new Promise((resolve, reject) => {
    sent.once('response', (message) => {
      watch.end();
      upload?.stop();
      resolve(answerFrom(message, timeouts, sent));
    });
    // Stays after the answer: a body that is still being sent may fail then, and nobody else listens.
    sent.on('error', (error) => {
      watch.end();
      upload?.stop();
      reject(upload?.failure ?? watch.failureOf(error));
    });
    if (upload === undefined) sent.end();
    else void upload.send();
  });
}

function answerFrom(message: IncomingMessage, timeouts: Timeouts, sent: http.ClientRequest): HttpAnswer {
  message.on('error', () => {});
  // An answer that came before the whole request was sent ends the connection.
  message.once('end', () => {
    if (!sent.writableFinished) sent.destroy();
  });
  return {
    status: message.statusCode ?? 0,
    // Node joins several headers of one name with commas, challenges and links too.
    headers: message.headers,
    body: bodyOf(message, timeouts),
    discard: () => {
      if (message.complete || isShort(message)) message.resume();
      else message.destroy();
    },
    address: message.socket.remoteAddress,
  };
}

const SHORT_BYTES = 64 * 1024;

function isShort({ headers, statusCode }: IncomingMessage): boolean {
  return statusCode === 204 || Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= SHORT_BYTES;
}

/** Bytes in a minute below which a body counts as cut. */
const TRICKLE_BYTES = 60 * 1024;

async function* bodyOf(message: IncomingMessage, { idleMs }: Timeouts): AsyncGenerator<Buffer> {
  const timer = setTimeout(() => message.destroy(new TransportError('timeout', 'no bytes came')), idleMs);
  const reading = message[Symbol.asyncIterator]() as AsyncIterableIterator<Buffer>;
  let [waited, bytes] = [0, 0];
  try {
    for (;;) {
      // Only the time that we wait counts, not that in which the reader is busy.
      timer.refresh();
      const started = performance.now();
      const next = await reading.next();
      if (next.done === true) return;
      waited += performance.now() - started;
      bytes += next.value.length;
      if (bytes >= TRICKLE_BYTES) [waited, bytes] = [0, 0];
      if (waited > idleMs) throw new TransportError('timeout', 'the bytes come too slowly');
      yield next.value;
    }
  } catch (error) {
    throw TransportError.from(error);
  } finally {
    clearTimeout(timer);
    if (!message.complete) message.destroy();
  }
}
