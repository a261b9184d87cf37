import type { IncomingHttpHeaders } from 'node:http';
import { parseStrictJson } from '../content/strict-json.js';
import { LadingError, quote, type ErrorCode } from '../model/errors.js';
import type { Reference } from '../model/reference.js';
import { nameOfRepository, type RepositoryName } from './registry-name.js';
import type { Redaction } from './redaction.js';
import type { TransportError } from './watch.js';

/** What a request was for: the parts of every message. */
export interface Asked {
  /** The registry, as names write it. */
  readonly host: string;
  /** What was asked, such as `manifest docker.io/library/alpine:3`. */
  readonly what: string;
  readonly method: string;
  /** Scheme, host and port that answered or did not. */
  readonly origin: string;
}

/** An answer with the start of its body. */
export interface Refusal {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One error of an answer, as registries write them (distribution-spec, "Error Codes"). */
export interface RegistryFault {
  readonly code: string;
  readonly message: string;
  readonly detail: unknown;
}

/** The error of a request that got no usable answer. */
export function unreachable(error: TransportError, asked: Asked): LadingError {
  const { host, what, origin } = asked;
  const details = { origin, host };
  if (error.kind === 'certificate') {
    const message = `registry ${host}: its certificate was refused: ${error.message}; give its authority with --ca-file, or trust it without a check with --skip-tls-verify ${host}`;
    return new LadingError('ERR_REGISTRY_TLS', message, { cause: error, details });
  }
  if (error.kind === 'not-tls') {
    const message = `registry ${host} does not speak TLS; if it is meant to be plain http, use --plain-http ${host}`;
    return new LadingError('ERR_REGISTRY_TLS', message, { cause: error, details });
  }
  if (error.kind === 'proxy') {
    const code = error.status === 407 ? 'ERR_REGISTRY_AUTH' : 'ERR_REGISTRY_UNREACHABLE';
    const advice = error.status === 407 ? 'it wants other credentials' : 'name the host in no_proxy to go around it';
    const message = `registry ${host}: ${what}: ${error.message}; ${advice}`;
    return new LadingError(code, message, { cause: error, details: { ...details, status: error.status } });
  }
  if (error.kind === 'answer') {
    const message = `registry ${host}: ${what}: the answer is not HTTP (${error.message}); check the address and any proxy`;
    return new LadingError('ERR_REGISTRY_PROTOCOL', message, { cause: error, details });
  }
  const message = `registry ${host} cannot be reached at ${origin}: ${what}: ${reasonOf(error)}`;
  const isLate = error.kind === 'timeout' || (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
  return new LadingError('ERR_REGISTRY_UNREACHABLE', message, {
    cause: error,
    details: { ...details, ...(isLate && { timeout: true }) },
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host; check the name',
  EAI_AGAIN: 'the name server does not answer; check the network',
  ECONNREFUSED: 'nothing listens there; check host and port',
  ECONNRESET: 'the connection was cut; try again',
  EPIPE: 'the connection was cut; try again',
  ETIMEDOUT: 'the connection timed out; check the network',
  EHOSTUNREACH: 'there is no way to the host; check the network',
  ENETUNREACH: 'there is no way to the network; check the network',
};

function reasonOf(error: TransportError): string {
  const { code = '', errors } = (error.cause ?? {}) as NodeJS.ErrnoException & {
    readonly errors?: readonly NodeJS.ErrnoException[];
  };
  // Of several addresses that were tried, the first is as good as any.
  const first = errors?.[0]?.code;
  return REASONS[code === '' ? (first ?? '') : code] ?? `${error.message}; try again`;
}

/** The error of an answer that refuses what was asked. */
export async function refusal(answer: Refusal, asked: Asked, redaction: Redaction): Promise<LadingError> {
  const { status } = answer;
  const faults = await faultsOf(answer);
  const { code, advice } = meaningOf(status, asked, faults);
  const said = saidBy(answer, faults, redaction);
  const message = `registry ${asked.host}: ${asked.what}: ${said}; ${advice}`;
  const [first] = faults;
  return new LadingError(code, message, {
    details: {
      host: asked.host,
      origin: asked.origin,
      status,
      ...(first && { registryCode: redaction.hide(first.code.slice(0, 100)) }),
      ...requestIdOf(answer.headers),
      ...(code === 'ERR_REGISTRY_RATE' && rateOf(answer.headers)),
    },
  });
}

function meaningOf(
  status: number,
  { method }: Asked,
  faults: readonly RegistryFault[],
): { readonly code: ErrorCode; readonly advice: string } {
  const isWrite = !['GET', 'HEAD'].includes(method);
  if (status === 401)
    return { code: 'ERR_REGISTRY_AUTH', advice: 'log in with lading login, or check the credentials' };
  if (status === 407) return { code: 'ERR_REGISTRY_AUTH', advice: 'the proxy wants credentials' };
  if (status === 403)
    return { code: 'ERR_REGISTRY_DENIED', advice: 'you have no right to do this, or it does not exist' };
  if (status === 429) return { code: 'ERR_REGISTRY_RATE', advice: 'wait, log in, or use a mirror' };
  if (status >= 500) return { code: 'ERR_REGISTRY_UNAVAILABLE', advice: 'try again later' };
  if (status === 404 && faults.some(({ code }) => code === 'NAME_UNKNOWN'))
    return { code: isWrite ? 'ERR_REGISTRY_REFUSED' : 'ERR_IMAGE_UNKNOWN', advice: 'create the repository first' };
  if (status === 413)
    return {
      code: 'ERR_REGISTRY_REFUSED',
      advice: 'the registry or a proxy before it takes no larger body; raise its limit',
    };
  if (status === 405) return { code: 'ERR_REGISTRY_REFUSED', advice: 'this registry does not allow it' };
  return isWrite
    ? { code: 'ERR_REGISTRY_REFUSED', advice: 'the registry does not take it' }
    : { code: 'ERR_REGISTRY_PROTOCOL', advice: 'check that a registry answers at this address' };
}

/** The words of the registry, quoted; for a page of HTML or nothing only the status. */
function saidBy({ status, body, headers }: Refusal, faults: readonly RegistryFault[], redaction: Redaction): string {
  const [first] = faults;
  if (first !== undefined) {
    const words = [first.code, first.message].filter((word) => word !== '').join(': ');
    return `status ${status}, ${quote(redaction.hide(words))}`;
  }
  const text = redaction.hide(body.subarray(0, 1024).toString('utf8').trim());
  const isPage = /html/i.test(headers['content-type'] ?? '') || text.startsWith('<');
  return text === '' || isPage ? `status ${status}` : `status ${status}, ${quote(text)}`;
}

/** The errors that the body lists; none if it is no JSON of that shape. */
export async function faultsOf({ body }: Pick<Refusal, 'body'>): Promise<readonly RegistryFault[]> {
  let document: unknown;
  try {
    document = await parseStrictJson(body, 'the answer', 16);
  } catch {
    return [];
  }
  const { errors } = (document ?? {}) as { readonly errors?: unknown };
  if (!Array.isArray(errors)) return [];
  return errors.slice(0, 10).flatMap((fault: unknown) => {
    const { code, message, detail } = (fault ?? {}) as Partial<Record<keyof RegistryFault, unknown>>;
    return typeof code === 'string' ? [{ code, message: typeof message === 'string' ? message : '', detail }] : [];
  });
}

const REQUEST_IDS = ['x-request-id', 'x-amzn-requestid', 'x-amz-request-id', 'docker-distribution-request-id'];

function requestIdOf(headers: IncomingHttpHeaders): { readonly requestId?: string } {
  const id = REQUEST_IDS.map((name) => headers[name]).find((value): value is string => typeof value === 'string');
  return id === undefined ? {} : { requestId: id.slice(0, 200) };
}

/** What the headers of an answer say of a limit of requests, as texts. */
export function rateOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const named = { limit: 'ratelimit-limit', remaining: 'ratelimit-remaining', retryAfter: 'retry-after' };
  return Object.fromEntries(
    Object.entries(named).flatMap(([key, name]) => {
      const value = headers[name];
      return typeof value === 'string' ? [[key, value.slice(0, 100)]] : [];
    }),
  );
}

/** The error of an answer that fits no rule of the protocol. */
export function brokenProtocol({ host, what, origin }: Asked, why: string): LadingError {
  const message = `registry ${host}: ${what}: ${why}; check the registry and any proxy before it`;
  return new LadingError('ERR_REGISTRY_PROTOCOL', message, { details: { host, origin } });
}

/** The error of a name that means nothing in its registry. */
export function unknownImage(reference: Reference): LadingError {
  const name = reference.toString();
  const message = `the registry has no image ${quote(name)}, or it does not show it without credentials; check the name, or use lading login ${reference.domain}`;
  return new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image: name } });
}

/** The error of a repository that has no list of tags. */
export function unknownRepository(name: RepositoryName): LadingError {
  const image = nameOfRepository(name);
  const message = `the registry has no repository ${quote(image)}, or does not show it without credentials; check the name, or use lading login ${name.host}`;
  return new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image } });
}

/** The error of content that the registry was not known to have, or does not have any more. */
export function missingContent(digest: string): LadingError {
  return new LadingError('ERR_BLOB_MISSING', `${digest} is not in the registry`, { details: { digest } });
}
