import type { ClientRequest } from 'node:http';

/** The longest waits of a request, in milliseconds. */
export interface Timeouts {
  /** For the connection, TLS included. */
  readonly connectMs: number;
  /** From the end of the request to the headers of the answer. */
  readonly headersMs: number;
  /** For the next bytes of a body, in either direction. */
  readonly idleMs: number;
}

/** What kind of failure it is: `certificate` is not worth a second try, `head` has the raw bytes of a broken answer. */
export type FailureKind = 'timeout' | 'certificate' | 'not-tls' | 'answer' | 'connection' | 'proxy';

/** A request without a usable answer. */
export class TransportError extends Error {
  readonly kind: FailureKind;
  /** Whether a kept connection was used that the other side may have closed meanwhile, before any byte of an answer. */
  readonly isStale: boolean;
  /** The start of an answer that could not be parsed. */
  readonly raw: string | undefined;
  /** What a proxy answered instead of making a way to the other side. */
  readonly status: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly isStale?: boolean;
      readonly raw?: string;
      readonly status?: number;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TransportError';
    this.kind = kind;
    this.isStale = options.isStale ?? false;
    this.raw = options.raw;
    this.status = options.status;
  }

  static from(error: unknown, isStale = false): TransportError {
    if (error instanceof TransportError) return error;
    const { code = '', message, rawPacket } = error as NodeJS.ErrnoException & { readonly rawPacket?: Buffer };
    const raw = rawPacket?.subarray(0, RAW_BYTES).toString('latin1');
    return new TransportError(kindOf(code), message, { cause: error, isStale, ...(raw !== undefined && { raw }) });
  }
}

const RAW_BYTES = 8 * 1024;

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)/;

function kindOf(code: string): FailureKind {
  if (CERTIFICATE.test(code)) return 'certificate';
  // What a server without TLS answers to a handshake.
  if (['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'].includes(code)) return 'not-tls';
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) return 'certificate';
  return code.startsWith('HPE_') ? 'answer' : 'connection';
}

/** Watches one request until its answer: first the connection, then the way of its body, then the wait for headers. */
export class Watch {
  readonly #request: ClientRequest;
  readonly #timeouts: Timeouts;
  #timer: NodeJS.Timeout | undefined;
  #isConnected = false;
  #isSent = false;
  #isOver = false;

  constructor(request: ClientRequest, timeouts: Timeouts) {
    this.#request = request;
    this.#timeouts = timeouts;
    request.once('socket', (socket) => {
      const isWaiting =
        socket.connecting || (socket as { readonly secureConnecting?: boolean }).secureConnecting === true;
      if (!isWaiting) return this.#connected();
      this.#set(timeouts.connectMs, 'the connection takes too long');
      const isTls = 'encrypted' in socket;
      socket.once(isTls ? 'secureConnect' : 'connect', () => this.#connected());
    });
    request.once('finish', () => {
      this.#isSent = true;
      this.#waitForHeaders();
    });
  }

  /** Notes that the other side took bytes of the body. */
  progress(): void {
    if (this.#isConnected && !this.#isSent) this.#timer?.refresh();
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  failureOf(error: Error): TransportError {
    return TransportError.from(error, this.#request.reusedSocket && !(error instanceof TransportError));
  }

  #connected(): void {
    this.#isConnected = true;
    if (this.#isSent) this.#waitForHeaders();
    else this.#set(this.#timeouts.idleMs, 'the other side takes no more bytes');
  }

  #waitForHeaders(): void {
    if (this.#isConnected) this.#set(this.#timeouts.headersMs, 'no answer came');
  }

  #set(ms: number, message: string): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => this.#request.destroy(new TransportError('timeout', message)), ms);
  }
}
