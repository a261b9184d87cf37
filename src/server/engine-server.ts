import { setTimeout as delay } from 'node:timers/promises';
import { DescriptionCache, hostPlatform, type Platform, type Store } from '../index.js';
import { buildApp } from './app.js';
import type { Audit } from './audit.js';
import type { ServerContext } from './context.js';
import { EventLog } from './event-log.js';
import { listen, type ListenAddress, type Listener, type ListenerOptions } from './listeners.js';
import { Metrics } from './metrics.js';
import { Transfers } from './transfers.js';
import { Turns } from './turns.js';

/** How a server behaves. Every time is in milliseconds. */
export interface ServerOptions {
  /** Archives on their way at once; further ones are refused with 503. Default 256. */
  readonly maxTransfers?: number;
  /** How long the headers of a request may take. Default 10 s. */
  readonly headersMs?: number;
  /** How long an upload may be still. Default 30 s. */
  readonly idleMs?: number;
  /** How long the reader of an archive may take nothing. Default 10 min. */
  readonly stalledMs?: number;
  /** Whether `docker image prune -a` may remove every image. Default no. */
  readonly allowPruneAll?: boolean;
  /** Host names by which clients reach the server over TCP, beside addresses and `localhost`. */
  readonly ownNames?: readonly string[];
  /** Told of each load, save, tag, delete and prune. */
  readonly audit?: Audit;
  readonly hostPlatform?: Platform;
  readonly now?: () => number;
  readonly umask?: ListenerOptions['umask'];
}

const DEFAULTS = { maxTransfers: 256, headersMs: 10_000, idleMs: 30_000, stalledMs: 600_000 };

/** How long the connections of a stopping server have to end after their last transfer. */
const CLOSE_MS = 1_000;

/**
 * The image part of the Docker Engine API over a store, on any number of sockets. Holds for each archive on its way a few
 * chunks, and 256 events.
 */
export class EngineServer {
  readonly #context: ServerContext;
  readonly #options: ListenerOptions;
  readonly #stopping = new AbortController();
  readonly #halt = new AbortController();
  readonly #listeners: Listener[] = [];
  readonly #app: ReturnType<typeof buildApp>;

  constructor(store: Store, options: ServerOptions = {}) {
    const { maxTransfers, headersMs, idleMs, stalledMs } = { ...DEFAULTS, ...options };
    const now = options.now ?? Date.now;
    const metrics = new Metrics();
    this.#options = { headersMs, ...(options.umask && { umask: options.umask }) };
    this.#context = {
      store,
      events: new EventLog(now),
      metrics,
      transfers: new Transfers(maxTransfers, metrics, now),
      turns: new Turns(),
      audit: options.audit ?? (() => {}),
      now,
      hostPlatform: options.hostPlatform ?? hostPlatform(),
      cache: new DescriptionCache(),
      idleMs,
      stalledMs,
      allowPruneAll: options.allowPruneAll ?? false,
      ownNames: new Set(options.ownNames),
      stopping: this.#stopping.signal,
      halt: this.#halt.signal,
    };
    this.#app = buildApp(this.#context);
  }

  /** Listens on one more socket, and gives its URL. Throws ERR_OPTION_INVALID, ERR_STORAGE_IO. */
  async listen(address: ListenAddress): Promise<string> {
    const app = await this.#app;
    const listener = await listen(address, (request, response) => app.routing(request, response), this.#options);
    this.#listeners.push(listener);
    return listener.url;
  }

  /**
   * Takes no more connections and no more work, lets transfers end for the grace time, then breaks what is left: a load that
   * is broken leaves nothing visible. With no grace time it stops at once. May be called again to be faster.
   */
  async stop({ graceMs = 30_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopping.abort();
    const closed = this.#listeners.map(({ server }) => closeServer(server));
    if (graceMs > 0) await Promise.race([this.#context.transfers.settled(), delay(graceMs, undefined, { ref: false })]);
    if (graceMs > 0 && this.#context.transfers.active === 0) {
      await Promise.race([Promise.all(closed), delay(CLOSE_MS, undefined, { ref: false })]);
    }
    this.#halt.abort();
    for (const { server } of this.#listeners) server.closeAllConnections();
    await Promise.all([...closed, this.#context.transfers.settled()]);
    await (await this.#app).close();
  }
}

async function closeServer(server: Listener['server']): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
