import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { jsonLine } from '../index.js';
import { EngineError, STATUS } from './statuses.js';

/**
 * Refuses a request of a web page: one with `Origin` or `Sec-Fetch-Site` (cross-site request forgery), which clients of
 * the Engine never send. It can come to a unix socket, too, by a proxy in front of it. Throws an EngineError.
 */
export function checkOrigin({ headers, method, url }: IncomingMessage): void {
  const site = headers['sec-fetch-site'] ?? 'none';
  // In Fetch Metadata `none` means that the user typed the address. A page of `/ui` leads to the others.
  if (headers.origin === undefined && (site === 'none' || (site === 'same-origin' && isReadOfPages({ method, url }))))
    return;
  throw new EngineError(STATUS.forbidden, 'requests from web pages are not served');
}

function isReadOfPages({ method, url = '' }: Pick<IncomingMessage, 'method' | 'url'>): boolean {
  return method === 'GET' && /^\/ui(?:\/|$)/.test(url);
}

/**
 * Refuses a request over TCP for a host name that is not ours (DNS rebinding). Clients of the Engine send the host name
 * that they were given. Throws an EngineError.
 */
export function checkHost({ headers }: IncomingMessage, ownNames: ReadonlySet<string>): void {
  const host = hostnameOf(headers.host ?? '');
  if (host === 'localhost' || isIP(host) !== 0 || ownNames.has(host)) return;
  throw new EngineError(STATUS.misdirected, `this server is not ${jsonLine(host)}`);
}

/** The name or address of a Host header, without port and brackets, in lower case. */
function hostnameOf(host: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host) ?? [];
  return (bracketed ?? plain).toLowerCase();
}
