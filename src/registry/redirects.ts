import dns from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { LadingError, quote } from '../model/errors.js';
import { isLinkLocal, isPrivate } from './address-rules.js';
import { shownUrl } from './redaction.js';
import { brokenProtocol, type Asked } from './registry-errors.js';
import type { RegistrySettings } from './settings.js';

/** The longest Location that is followed; signed URLs have a few thousand characters. */
const MAX_CHARACTERS = 16 * 1024;

/** Where a request may be led to. */
export interface LeadRules {
  /** Whether the registry itself is on the public internet: then nothing inside a network is for it to name. */
  readonly isPublic: boolean;
  /** Hosts that the user named, wherever they are. */
  readonly allowed: ReadonlySet<string>;
}

/**
 * The URL of a `Location` or another link, seen from the URL of the request that brought it. Its query stays byte by
 * byte. Throws ERR_REGISTRY_PROTOCOL for a text that is no URL, ERR_REDIRECT_REFUSED for one that is not followed.
 */
export function linkTarget(location: string | undefined, from: URL, asked: Asked): URL {
  if (location === undefined || location === '') throw brokenProtocol(asked, 'the answer has no Location');
  if (location.length > MAX_CHARACTERS) throw refused(asked, 'the address has more than 16 KiB');
  // oxlint-disable-next-line no-control-regex -- these are what must not be in an address
  if (/[^\x21-\x7e]|\\/.test(location))
    throw refused(asked, `${quote(location.slice(0, 80))} has characters that no address has`);
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target === undefined || !/^https?:$/.test(target.protocol)) throw refused(asked, 'it leads to no web address');
  if (target.username !== '' || target.password !== '') throw refused(asked, 'the address has a password in it');
  if (target.hash !== '') throw refused(asked, 'the address has a fragment');
  return sameHostOverTls(target, from);
}

/** A proxy that ends TLS may not tell the registry: `http` on the same host then means the origin itself. */
function sameHostOverTls(target: URL, from: URL): URL {
  if (from.protocol !== 'https:' || target.protocol !== 'http:' || target.hostname !== from.hostname) return target;
  const kept = new URL(target);
  kept.protocol = 'https:';
  kept.port = from.port;
  return kept;
}

/** Throws ERR_REDIRECT_REFUSED for a target that another origin may not name. */
export function checkTarget(target: URL, from: URL, { isPublic, allowed }: LeadRules, asked: Asked): void {
  if (target.origin === from.origin) return;
  if (from.protocol === 'https:' && target.protocol === 'http:')
    throw refused(asked, `it leads from https to ${shownUrl(target)}; the registry has a misconfigured external URL`);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isForbidden(host, { isPublic, isAllowed: allowed.has(target.host) }))
    throw refusedAddress(asked, target.host);
}

function isForbidden(address: string, { isPublic, isAllowed }: { isPublic: boolean; isAllowed: boolean }): boolean {
  return !isAllowed && (isLinkLocal(address) || (isPublic && isPrivate(address)));
}

/** Looks up names, and refuses addresses that another origin may not name: at the socket, so that DNS cannot lie twice. */
export function guardedLookup(target: URL, { isPublic, allowed }: LeadRules, asked: Asked): LookupFunction {
  return (hostname, options, callback) => {
    dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const isAllowed = allowed.has(target.host);
      const bad = addresses.some(({ address }) => isForbidden(address, { isPublic, isAllowed }));
      if (bad) return callback(refusedAddress(asked, target.host), []);
      if (options.all === true) return callback(null, addresses);
      const [first] = addresses;
      return callback(null, first?.address ?? '', first?.family);
    });
  };
}

/**
 * The same for a registry whose name came from others, as the settings have it: undefined if they refuse no address.
 * Throws ERR_REDIRECT_REFUSED for a link-local address that stands in the name itself.
 */
export function ownLookup(
  target: URL,
  {
    refusesLinkLocal = false,
    allowedRedirects: allowed,
  }: Pick<RegistrySettings, 'refusesLinkLocal' | 'allowedRedirects'>,
  asked: Asked,
): LookupFunction | undefined {
  if (!refusesLinkLocal) return undefined;
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const rules = { isPublic: false, allowed };
  if (isIP(host) !== 0 && isForbidden(host, { isPublic: false, isAllowed: allowed.has(target.host) }))
    throw refusedAddress(asked, target.host);
  return guardedLookup(target, rules, asked);
}

function refusedAddress(asked: Asked, host: string): LadingError {
  if (host !== asked.host)
    return refused(
      asked,
      `it leads to an address inside a network, ${host}; allow it with --allow-redirect-to ${host}`,
    );
  const message = `registry ${host} has a link-local address, as services have that are not for others; name it in --client-registries to allow it`;
  return new LadingError('ERR_REDIRECT_REFUSED', message, { details: { host } });
}

function refused({ host, what, origin }: Asked, why: string): LadingError {
  const message = `registry ${host}: ${what}: the redirect was not followed: ${why}`;
  return new LadingError('ERR_REDIRECT_REFUSED', message, { details: { host, origin } });
}

/** Of our own headers only the range goes to another origin. */
export function redirectedHeaders(
  headers: Readonly<Record<string, string>> = {},
  isSameOrigin: boolean,
): Readonly<Record<string, string>> {
  if (isSameOrigin) return headers;
  const { range, accept } = headers as Readonly<Record<string, string | undefined>>;
  return { ...(range !== undefined && { range }), ...(accept !== undefined && { accept }) };
}
