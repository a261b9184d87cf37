import { LadingError, quote } from '../model/errors.js';
import { parseReference, type Reference } from '../model/reference.js';

/** A repository of a registry: the host as names write it, and the path in it. */
export interface RepositoryName {
  /** In lower case, with a port if one was given; `docker.io` for Docker Hub. */
  readonly host: string;
  /** With `library/` on Docker Hub. */
  readonly path: string;
}

/** Other names of Docker Hub. */
const HUB_ALIASES: readonly string[] = ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];
const HUB = 'docker.io';
const HUB_API = 'registry-1.docker.io';

/** Many clients accept no longer name of host and repository (distribution-spec, "Pulling manifests"). */
const MAX_NAME_CHARACTERS = 255;

/** `docker://` before a name. */
export const DOCKER_SCHEME = 'docker://';

/**
 * The reference of a text like `docker://host:5000/a/b:1`; the prefix may be left out. Throws ERR_REFERENCE_INVALID for
 * a name that no registry can have.
 */
export function parseRegistryReference(text: string): Reference {
  const bare = text.startsWith(DOCKER_SCHEME) ? text.slice(DOCKER_SCHEME.length) : text;
  const [host, rest] = splitOnce(bare, '/');
  const isAlias = rest !== undefined && HUB_ALIASES.includes(host.toLowerCase());
  const reference = parseReference(isAlias ? `${HUB}/${rest}` : bare);
  const { domain, path } = reference;
  if (domain === '') throw wrong(text, 'its first part is no host');
  if (domain.length + 1 + path.length > MAX_NAME_CHARACTERS)
    throw wrong(text, `host and repository have more than ${MAX_NAME_CHARACTERS} characters`);
  return reference;
}

/** The repository of a reference. */
export function repositoryOf({ domain, path }: Reference): RepositoryName {
  return { host: domain.toLowerCase(), path };
}

/** `host/path`, as in a full name. */
export function nameOfRepository({ host, path }: RepositoryName): string {
  return `${host}/${path}`;
}

/** A registry host from a text like `HOST[:PORT]` or `https://index.docker.io/v1/`. Throws ERR_REFERENCE_INVALID. */
export function parseHost(text: string): string {
  const bare = text.replace(/^https?:\/\//i, '').replace(/\/(?:v[12]\/?)?$/, '');
  const host = bare.toLowerCase();
  if (HUB_ALIASES.includes(host)) return HUB;
  const { domain } = parseRegistryReference(`${host.includes('/') ? '?' : host}/name`);
  if (domain !== host) throw wrong(text, 'it is no registry host, such as registry.example:5000');
  return host;
}

/** The host that answers the requests for a registry. */
export function apiHostOf(host: string): string {
  return host === HUB ? HUB_API : host;
}

/** The registry, as names write it, whose requests a host answers. */
export function hostOfApi(host: string): string {
  return host === HUB_API ? HUB : host;
}

/** Whether a host is this computer, whose registries often speak plain http. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || /^127(?:\.\d{1,3}){3}$/.test(name) || name === '[::1]';
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function wrong(text: string, why: string): LadingError {
  return new LadingError('ERR_REFERENCE_INVALID', `${quote(text)} is not the name of an image in a registry: ${why}`);
}
