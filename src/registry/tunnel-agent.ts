import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { TransportError } from './watch.js';

/** How long a proxy may take to make a tunnel, in milliseconds. */
const TUNNEL_MS = 10_000;

/** Connections with TLS through a proxy: it makes a tunnel (CONNECT, RFC 9110, 9.3.6), and sees nothing of what is in it. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #opening = new Set<http.ClientRequest>();

  constructor(proxy: URL, options: https.AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(
    options: https.RequestOptions & { readonly servername?: string },
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const { host, port } = options;
    const target = `${String(host).includes(':') ? `[${host}]` : host}:${port ?? 443}`;
    this.#open(target).then(
      (socket) => callback?.(null, tls.connect({ ...(options as tls.ConnectionOptions), socket })),
      // Node takes an error without a socket.
      (error: unknown) => (callback as ((error: unknown) => void) | undefined)?.(error),
    );
  }

  override destroy(): void {
    for (const request of this.#opening) request.destroy();
    super.destroy();
  }

  async #open(target: string): Promise<Duplex> {
    const request = (this.#proxy.protocol === 'https:' ? https : http).request({
      ...proxyAddress(this.#proxy),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyHeaders(this.#proxy) },
      agent: false,
      timeout: TUNNEL_MS,
    });
    this.#opening.add(request);
    request.once('timeout', () => request.destroy(new TransportError('timeout', `the proxy takes too long`)));
    try {
      return await tunnelOf(request, this.#proxy);
    } finally {
      this.#opening.delete(request);
    }
  }
}

async function tunnelOf(request: http.ClientRequest, proxy: URL): Promise<Duplex> {
  return await new Promise((resolve, reject) => {
    request.once('connect', (answer: IncomingMessage, socket) => {
      socket.setTimeout(0);
      if (answer.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(refusedBy(proxy, answer.statusCode ?? 0));
    });
    request.once('response', (answer) => {
      answer.destroy();
      reject(refusedBy(proxy, answer.statusCode ?? 0));
    });
    request.once('error', (cause) =>
      reject(new TransportError('connection', `the proxy ${proxy.host} does not answer: ${cause.message}`, { cause })),
    );
    request.end();
  });
}

/** A proxy that has trouble of its own may have none a moment later. */
function refusedBy({ host }: URL, status: number): TransportError {
  const message = `the proxy ${host} refused the connection with status ${status}`;
  return new TransportError(status >= 500 ? 'connection' : 'proxy', message, { status });
}

/** Where a proxy listens, as options of a request. */
export function proxyAddress({ hostname, port, protocol }: URL): Pick<http.RequestOptions, 'host' | 'port'> {
  return {
    host: hostname.replaceAll(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : port,
  };
}

/** The credentials of a proxy, for no one else. */
export function proxyHeaders({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}
