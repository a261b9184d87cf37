import { isDamage, LadingError, type ErrorCategory, type ErrorCode } from '../index.js';
import { inDockersWords } from './advice.js';

/** Every HTTP status that the server answers with, by its name in RFC 9110. No other server file has such a number. */
export const STATUS = {
  ok: 200,
  created: 201,
  noContent: 204,
  partialContent: 206,
  notModified: 304,
  badRequest: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  requestTimeout: 408,
  conflict: 409,
  contentTooLarge: 413,
  rangeNotSatisfiable: 416,
  misdirected: 421,
  unprocessable: 422,
  headersTooLarge: 431,
  internal: 500,
  notImplemented: 501,
  badGateway: 502,
  unavailable: 503,
  gatewayTimeout: 504,
  insufficientStorage: 507,
} as const;

const BY_CATEGORY: Readonly<Record<ErrorCategory, number>> = {
  'invalid-argument': STATUS.badRequest,
  'invalid-archive': STATUS.badRequest,
  integrity: STATUS.unprocessable,
  limit: STATUS.contentTooLarge,
  'not-found': STATUS.notFound,
  conflict: STATUS.conflict,
  storage: STATUS.internal,
  unsupported: STATUS.notImplemented,
  trust: STATUS.forbidden,
  network: STATUS.badGateway,
  aborted: STATUS.unavailable,
};

const BY_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_NO_SPACE: STATUS.insufficientStorage,
  ERR_REGISTRY_RATE: STATUS.unavailable,
  ERR_REGISTRY_UNAVAILABLE: STATUS.unavailable,
  // As the Engine has it, with its words below.
  ERR_REFERENCE_AMBIGUOUS: STATUS.notFound,
};

/** The header of a refusal by a busy server: the seconds after which to try again. */
export const RETRY_LATER: Readonly<Record<string, string>> = { 'Retry-After': '5' };

/** A refusal that belongs to HTTP or to the Engine API, and has no code of the library. */
export class EngineError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
    this.headers = headers;
  }
}

/** What a client learns about an error. */
export interface Failure {
  readonly status: number;
  readonly message: string;
  /** The library's code; `HTTP_<status>` for other errors. */
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The status and message of an error. An unexpected one becomes `internal error`; its message is not sent. */
export function failureOf(error: unknown): Failure {
  if (error instanceof EngineError) return failure(error.status, error.message, error.headers);
  if (error instanceof LadingError) {
    const isLate = error.code === 'ERR_REGISTRY_UNREACHABLE' && error.details['timeout'] === true;
    const status = isLate ? STATUS.gatewayTimeout : (BY_CODE[error.code] ?? BY_CATEGORY[error.category]);
    return { status, message: messageOf(error), code: error.code, headers: {} };
  }
  // Anything can be thrown; only fastify's own refusals have a status.
  const { statusCode, message } = Object(error) as { readonly statusCode?: unknown; readonly message?: unknown };
  const isRefusal = typeof statusCode === 'number' && statusCode < STATUS.internal;
  return isRefusal ? failure(statusCode, String(message)) : failure(STATUS.internal, 'internal error');
}

/** The same where images are read from the store: damage is then a fault of the server (500), not of the request. */
export function exportFailureOf(error: unknown): Failure {
  const failed = failureOf(error);
  return isDamage(error) ? { ...failed, status: STATUS.internal } : failed;
}

function failure(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Failure {
  return { status, message, code: `HTTP_${status}`, headers };
}

/** An image that cannot be found has the Engine's words, which its clients know. Trouble of the store is for those who run it. */
function messageOf({ code, category, message, details }: LadingError): string {
  if (code === 'ERR_IMAGE_UNKNOWN') return `No such image: ${String(details['image'])}`;
  if (code === 'ERR_REFERENCE_AMBIGUOUS') return 'ambiguous reference';
  return category === 'storage' ? message : inDockersWords(message);
}
