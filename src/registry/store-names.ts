import { LadingError, quote } from '../model/errors.js';
import { isTag, parseReference, type Reference } from '../model/reference.js';
import { parseRegistryReference, repositoryOf, type RepositoryName } from './registry-name.js';

/** `registry://` before a place. */
export const REGISTRY_SCHEME = 'registry://';

/** A host has no underscore, so this is free to stand for the colon before a port: repositories may have none. */
const PORT_MARK = '__';

/** Repositories beside those of names: no host looks like them. */
const CONTENT = 'content';
const UNTAGGED = 'untagged';

/**
 * How a store keeps names in a registry: `docker.io/library/app:1` is the tag `1` of the repository
 * `PREFIX/docker.io/library/app`, so that other clients can pull it from there. Blobs arrive in `PREFIX/content`; images
 * without a name are tags of `PREFIX/untagged`.
 */
export class StoreNames {
  readonly host: string;
  readonly #prefix: string;

  constructor({ host, path }: RepositoryName) {
    this.host = host;
    this.#prefix = path;
  }

  /** `registry://HOST[:PORT]/PREFIX`. Throws ERR_REFERENCE_INVALID. */
  static parse(text: string): StoreNames {
    const place = text.slice(REGISTRY_SCHEME.length).replace(/\/$/, '');
    const reference = parseRegistryReference(place);
    // Docker Hub is meant only where its name stands.
    if (place === `${reference.domain}/${reference.path}`) return new StoreNames(repositoryOf(reference));
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(text)} is not like registry://HOST[:PORT]/PREFIX`);
  }

  /** Where blobs arrive. */
  get content(): RepositoryName {
    return this.#at(CONTENT);
  }

  /** Where images without a name are kept. */
  get untagged(): RepositoryName {
    return this.#at(UNTAGGED);
  }

  /** The repository of a name. Throws ERR_REFERENCE_INVALID for a host that no repository can have in its path. */
  repositoryOf({ domain, path }: Reference): RepositoryName {
    const [host = '', port] = domain.split(':');
    if (/^[a-z0-9.-]+$/.test(host) && domain.split(':').length <= 2)
      return this.#at(`${host}${port === undefined ? '' : PORT_MARK + port}/${path}`);
    const message = `${quote(`${domain}/${path}`)}: a store in a registry keeps no names of such a host; use one in lower case, and no IPv6 address`;
    throw new LadingError('ERR_REFERENCE_INVALID', message);
  }

  /** The full name in the registry of a full name in the store. */
  toRegistry(name: string): string {
    const reference = parseReference(name);
    const { path } = this.repositoryOf(reference);
    return `${this.host}/${path}${suffixOf(reference)}`;
  }

  /** The repository name in the store of a path in the registry; undefined if it is none of the store's. */
  fromPath(path: string): string | undefined {
    if (!path.startsWith(`${this.#prefix}/`)) return undefined;
    const [host = '', ...rest] = path.slice(this.#prefix.length + 1).split('/');
    const domain = host.replace(PORT_MARK, ':');
    const isHost = domain === 'localhost' || /[.:]/.test(domain);
    return isHost && rest.length > 0 ? `${domain}/${rest.join('/')}` : undefined;
  }

  /** The full name in the store of a full name in the registry. */
  fromRegistry(name: string): string | undefined {
    const reference = parseReference(name);
    const own = this.fromPath(reference.path);
    return own === undefined ? undefined : own + suffixOf(reference);
  }

  #at(rest: string): RepositoryName {
    return { host: this.host, path: `${this.#prefix}/${rest}` };
  }
}

function suffixOf({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The tag under which an image without a name is kept: the digest without its algorithm. */
export function tagOfUnnamed(digest: string): string {
  const tag = digest.slice(digest.indexOf(':') + 1);
  return isTag(tag) ? tag : tag.slice(0, 128);
}
