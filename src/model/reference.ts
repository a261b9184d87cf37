import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';

/** An image name in its normal form. */
export interface Reference {
  /** Registry host, with its port if one was given. Empty only if the first part cannot be a host (`a.b_c/d`). */
  readonly domain: string;
  /** Repository within the registry, `library/` included. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** The full form: `docker.io/library/alpine:3.19`. Parses back to the same reference. */
  toString(): string;
  /** As Docker prints it: `alpine:3.19`. */
  familiar(): string;
  /** Itself, with tag `latest` if it has neither tag nor digest. */
  withDefaultTag(): Reference;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL = 'library/';
const DEFAULT_TAG = 'latest';
/** distribution/reference, "RepositoryNameTotalLengthMax". */
const MAX_PATH_CHARACTERS = 255;

// Matching takes linear time: in each pattern, no text can match both a repeated part and the part after it.
const DOMAIN = /^(?:\[[\da-f:]+\]|[\da-z]+(?:-+[\da-z]+)*(?:\.[\da-z]+(?:-+[\da-z]+)*)*)(?::\d+)?$/i;
const PATH_PART = /^[\da-z]+(?:(?:\.|__?|-+)[\da-z]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const IMAGE_ID = /^[\da-f]{64}$/;
const DIGEST_REPOSITORY = /^library\/sha(?:256|384|512)$/;

/**
 * The reference of a name. Adds `docker.io` and `library/` as Docker does. Throws ERR_REFERENCE_INVALID.
 * Grammar: distribution/reference.
 */
export function parseReference(text: string): Reference {
  if (IMAGE_ID.test(text)) throw invalid(text, 'an image id is not a name');
  const [host, rest] = splitDomain(text);
  const [tagged, digest] = cut(rest, '@');
  const [path, tag] = cut(tagged, ':');
  const name = DOMAIN.test(host) ? { domain: host, path } : { domain: '', path: `${host}/${path}` };
  checkPath(name.path, text);
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, `${quote(tag)} is not a tag`);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `${quote(digest)} is not a digest that we know`);
  return new ParsedReference(name, {
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  });
}

/**
 * The full name of an image from its text, with tag `latest` if it has neither tag nor digest. Refuses names that look
 * like a digest, since they would hide the image with that digest. Throws ERR_REFERENCE_INVALID.
 */
export function parseImageName(text: string): Reference {
  const reference = parseReference(text).withDefaultTag();
  if (reference.domain === DEFAULT_DOMAIN && DIGEST_REPOSITORY.test(reference.path)) {
    throw invalid(text, 'an image must not be named like a digest');
  }
  return reference;
}

interface Name {
  readonly domain: string;
  readonly path: string;
}

interface Version {
  readonly tag?: string;
  readonly digest?: Digest;
}

class ParsedReference implements Reference {
  readonly domain: string;
  readonly path: string;
  declare readonly tag?: string;
  declare readonly digest?: Digest;

  constructor(name: Name, version: Version) {
    this.domain = name.domain;
    this.path = name.path;
    Object.assign(this, version);
  }

  toString(): string {
    return [this.domain, this.path].filter((part) => part !== '').join('/') + this.#suffix();
  }

  familiar(): string {
    if (this.domain !== DEFAULT_DOMAIN) return this.toString();
    const short = this.path.startsWith(OFFICIAL) ? this.path.slice(OFFICIAL.length) : this.path;
    return (short.includes('/') ? this.path : short) + this.#suffix();
  }

  withDefaultTag(): Reference {
    if (this.tag !== undefined || this.digest !== undefined) return this;
    return new ParsedReference(this, { tag: DEFAULT_TAG });
  }

  #suffix(): string {
    const tag = this.tag === undefined ? '' : `:${this.tag}`;
    return this.digest === undefined ? tag : `${tag}@${this.digest}`;
  }
}

/** The written or implied domain, and the rest of the name. */
function splitDomain(text: string): readonly [domain: string, rest: string] {
  const [first, afterFirst] = cut(text, '/');
  const hasDomain = afterFirst !== undefined && looksLikeDomain(first);
  const domain = !hasDomain || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first;
  const rest = hasDomain ? afterFirst : text;
  return [domain, domain === DEFAULT_DOMAIN && !rest.includes('/') ? `${OFFICIAL}${rest}` : rest];
}

/** A repository has no upper case letter and no colon. A first part with a dot is a host. */
function looksLikeDomain(part: string): boolean {
  return part === 'localhost' || /[.:]/.test(part) || part !== part.toLowerCase();
}

function checkPath(path: string, text: string): void {
  if (path.length > MAX_PATH_CHARACTERS)
    throw invalid(text, `the repository is over ${MAX_PATH_CHARACTERS} characters`);
  if (/[A-Z]/.test(path)) throw invalid(text, 'the repository has upper case letters');
  if (!path.split('/').every((part) => PATH_PART.test(part))) throw invalid(text, `${quote(path)} is not a repository`);
}

function cut(text: string, separator: string): readonly [before: string, after: string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function invalid(text: string, why: string): LadingError {
  return new LadingError('ERR_REFERENCE_INVALID', `image name ${quote(text)}: ${why}; write it like example/app:1.0`);
}
