import { setMaxListeners } from 'node:events';
import type { RequestListener, ServerResponse } from 'node:http';
import {
  DescriptionCache,
  hostPlatform,
  LadingError,
  type BeforeCommit,
  type Platform,
  type Policy,
  type Store,
} from '../index.js';
import {
  CALLBACK,
  check,
  FLAG,
  listOf,
  milliseconds,
  OBJECT,
  optionsOf,
  PLATFORM,
  TEXT,
  wholeNumber,
  withDefaults,
} from '../model/rules.js';
import { STORE } from '../stores/port-rules.js';
import { Answers } from './answers.js';
import { buildApp } from './app.js';
import type { Audit } from './audit.js';
import type { ServerContext } from './context.js';
import { EventLog } from './event-log.js';
import { ADDRESS, listen, type ListenAddress, type Listener, type ListenerOptions } from './listeners.js';
import { Metrics } from './metrics.js';
import { REGISTRY_ACCESS, type RegistryAccess } from './registry-options.js';
import { clockOf, isWithin, timerOf } from './timers.js';
import { Transfers } from './transfers.js';
import { Turns } from './turns.js';
import { UnreadEvents } from './unread-events.js';

/** How a server behaves. Every time is in milliseconds, at least 1; a time above 24 days counts as 24 days. */
export interface ServerOptions {
  /** Most archives, pulls and pushes on their way at once; further ones are refused with 503. Default 256. */
  readonly maxTransfers?: number;
  /** Most connections at once; further ones are closed as they arrive. Default 1024 for each socket. */
  readonly maxConnections?: number;
  /**
   * Bytes of unread answers, archives not counted; beyond it requests are refused with 503. Default 64 MiB. Beyond a
   * quarter of it in unread events, the slowest readers of events are disconnected.
   */
  readonly maxUnreadBytes?: number;
  /** How long the headers of a request may take. Default 10 s. */
  readonly headersMs?: number;
  /** How long an upload may bring no byte. Default 30 s. */
  readonly idleMs?: number;
  /** How long a client may read nothing of its answer. Default 10 min. */
  readonly stalledMs?: number;
  /** How long the rest of an upload is read and dropped after an early answer. Default 5 s. */
  readonly lingerMs?: number;
  /** Whether `docker image prune -a` may remove every image. Default no. */
  readonly allowPruneAll?: boolean;
  /** Also serves the pages of `/ui` over TCP. On unix sockets they are always there. */
  readonly uiOnTcp?: boolean;
  /** Host names by which clients reach the server over TCP, beside addresses and `localhost`. */
  readonly ownNames?: readonly string[];
  /** Made by `parsePolicy`: a load, pull or tag that it denies is refused with 403, and nothing changes. */
  readonly policy?: Policy;
  /** Called before a load or a pull gives any name; what it throws ends it (`LoadOptions.beforeCommit`). */
  readonly beforeCommit?: BeforeCommit;
  /** How the server speaks to registries, for pulls, pushes and logins. Default: not at all. */
  readonly registries?: RegistryAccess;
  /** Called with a record of each load, save, tag, delete, prune, pull and push. */
  readonly audit?: Audit;
  /** Called with errors that no request caused: those that clients see as 500, and those of sockets. */
  readonly onError?: (error: unknown) => void;
  readonly hostPlatform?: Platform;
  readonly now?: () => number;
  /** Sets the process's file mask and returns the old one, so that a new socket is never open to other users. */
  readonly umask?: (mask: number) => number;
}

const DEFAULTS = {
  maxTransfers: 256,
  maxConnections: 1024,
  maxUnreadBytes: 64 * 1024 * 1024,
  headersMs: 10_000,
  idleMs: 30_000,
  stalledMs: 600_000,
  lingerMs: 5_000,
};

const TIME = milliseconds(1);

const ARGUMENTS = {
  store: STORE,
  options: optionsOf<ServerOptions>({
    maxTransfers: wholeNumber(),
    maxConnections: wholeNumber(),
    maxUnreadBytes: wholeNumber(),
    headersMs: TIME,
    idleMs: TIME,
    stalledMs: TIME,
    lingerMs: TIME,
    allowPruneAll: FLAG,
    uiOnTcp: FLAG,
    ownNames: listOf(TEXT),
    policy: OBJECT,
    beforeCommit: CALLBACK,
    registries: REGISTRY_ACCESS,
    audit: CALLBACK,
    onError: CALLBACK,
    hostPlatform: PLATFORM,
    now: CALLBACK,
    umask: CALLBACK,
  }),
};

/** How much of the limit for unread answers all readers of events together may leave unread, on top of it. */
const EVENTS_SHARE = 1 / 4;

/** How long the connections of a stopping server have to end after the last answer. */
const CLOSE_MS = 1_000;

/** How a server stops. */
export interface StopOptions {
  /** Milliseconds that transfers and answers have to end. Default 30 s. */
  readonly graceMs?: number;
}

const STOP_ARGUMENTS = { options: optionsOf<StopOptions>({ graceMs: milliseconds() }) };

/**
 * The image part of the Docker Engine API over a store, on any number of sockets. Holds a few chunks for each archive
 * on its way, and 256 events.
 */
export class EngineServer {
  readonly #context: ServerContext;
  readonly #options: ListenerOptions;
  readonly #stopping = new AbortController();
  readonly #halt = new AbortController();
  readonly #listeners: Listener[] = [];
  readonly #answers = new Set<ServerResponse>();
  readonly #app: ReturnType<typeof buildApp>;

  constructor(store: Store, options: ServerOptions = {}) {
    check(ARGUMENTS, { store, options });
    const { maxTransfers, maxConnections, maxUnreadBytes, ...set } = withDefaults<typeof DEFAULTS>(DEFAULTS, options);
    const now = clockOf(options.now);
    const metrics = new Metrics();
    this.#options = {
      headersMs: timerOf(set.headersMs),
      lingerMs: timerOf(set.lingerMs),
      stalledMs: timerOf(set.stalledMs),
      maxConnections,
      onError: guarded(options.onError, () => {}),
      ...(options.umask && { umask: options.umask }),
    };
    this.#context = {
      store,
      events: new EventLog(now),
      metrics,
      transfers: new Transfers(maxTransfers, metrics, now),
      turns: new Turns(),
      answers: new Answers(maxUnreadBytes),
      unreadEvents: new UnreadEvents(maxUnreadBytes * EVENTS_SHARE),
      audit: guarded(options.audit, this.#options.onError),
      onError: this.#options.onError,
      now,
      hostPlatform: options.hostPlatform ?? hostPlatform(),
      cache: new DescriptionCache(),
      idleMs: timerOf(set.idleMs),
      allowPruneAll: options.allowPruneAll ?? false,
      uiOnTcp: options.uiOnTcp ?? false,
      ownNames: new Set(options.ownNames),
      trust: {
        ...(options.policy && { policy: options.policy }),
        ...(options.beforeCommit && { beforeCommit: options.beforeCommit }),
      },
      registries: options.registries,
      stopping: this.#stopping.signal,
      halt: this.#halt.signal,
    };
    // Each transfer adds a listener, so many listeners are no leak: silence Node's warning.
    setMaxListeners(0, this.#stopping.signal, this.#halt.signal);
    this.#app = buildApp(this.#context);
    // `listen` and `stop` await it and throw its error; this only avoids an unhandled rejection.
    this.#app.catch(() => {});
  }

  /** Archives on their way right now. */
  get transfers(): number {
    return this.#context.transfers.active;
  }

  /** Listens on one more socket. Returns its URL. Throws ERR_OPTION_INVALID, ERR_STORAGE_IO, ERR_ABORTED (stopped). */
  async listen(address: ListenAddress): Promise<string> {
    check({ address: ADDRESS }, { address });
    const app = await this.#app;
    if (this.#stopping.signal.aborted) throw new LadingError('ERR_ABORTED', 'the server was stopped');
    const handler: RequestListener = (request, response) => {
      this.#answers.add(response);
      response.once('close', () => this.#answers.delete(response));
      app.routing(request, response);
    };
    const listener = await listen(address, handler, this.#options);
    this.#listeners.push(listener);
    return listener.url;
  }

  /**
   * Takes no more connections and no more work, waits `graceMs` for transfers and answers to end, then breaks the rest.
   * A broken load leaves nothing visible. With 0 it stops at once. A second call can shorten the wait.
   */
  async stop(options: StopOptions = {}): Promise<void> {
    check(STOP_ARGUMENTS, { options });
    const { graceMs = 30_000 } = options;
    this.#stopping.abort();
    const closed = Promise.all(this.#listeners.map(async (listener) => await listener.close()));
    if (graceMs > 0 && (await isWithin(this.#settled(), graceMs))) await isWithin(closed, CLOSE_MS);
    this.#halt.abort();
    for (const listener of this.#listeners) listener.destroy();
    await Promise.all([closed, this.#context.transfers.settled()]);
    await (await this.#app).close();
  }

  /** Waits for every answer that has begun, and for every transfer, which may take longer. */
  async #settled(): Promise<void> {
    const answers = [...this.#answers].map(
      async (answer) => await new Promise((resolve) => void answer.once('close', resolve)),
    );
    await Promise.all([this.#context.transfers.settled(), ...answers]);
  }
}

/** A function of the caller, which must not break the server: what it throws, at once or later, goes to `onThrown`. */
function guarded<Argument>(
  call: ((argument: Argument) => void) | undefined,
  onThrown: (error: unknown) => void,
): (argument: Argument) => void {
  const calling = async (argument: Argument): Promise<void> => call?.(argument);
  return (argument) => void calling(argument).catch(onThrown);
}
