import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { jsonLine } from '../index.js';
import { EngineError, STATUS } from './statuses.js';

/**
 * Refuses what a web page could send over TCP: a request with `Origin` or `Sec-Fetch-Site` (cross-site request
 * forgery), and one for a host name that is not ours (DNS rebinding). Clients of the Engine send neither header, and
 * send the host name that they were given. Throws an EngineError.
 */
export function checkHost({ headers }: IncomingMessage, ownNames: ReadonlySet<string>): void {
  // In Fetch Metadata `none` means that the user typed the address.
  if (headers.origin !== undefined || (headers['sec-fetch-site'] ?? 'none') !== 'none') {
    throw new EngineError(STATUS.forbidden, 'requests from web pages are not served');
  }
  const host = hostnameOf(headers.host ?? '');
  if (host === 'localhost' || isIP(host) !== 0 || ownNames.has(host)) return;
  throw new EngineError(STATUS.misdirected, `this server is not ${jsonLine(host)}`);
}

/** The name or address of a Host header, without port and brackets, in lower case. */
function hostnameOf(host: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host) ?? [];
  return (bracketed ?? plain).toLowerCase();
}
