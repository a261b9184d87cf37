import { isDigest, type Digest } from './digest.js';
import { LadingError, quote } from './errors.js';
import { TEXT } from './rules.js';

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
  TEXT(text, 'text');
  return orThrow(readReference(text), text);
}

/**
 * The full name of an image from its text, with tag `latest` if it has neither tag nor digest. Refuses names that look
 * like a digest, since they would hide the image with that digest. Throws ERR_REFERENCE_INVALID.
 */
export function parseImageName(text: string): Reference {
  return orThrow(readImageName(text), text);
}

/** The same, or a text that says why it is no name: an archive may have a million of those, and an error is slow. */
export function readImageName(text: string): Reference | string {
  const read = readReference(text);
  if (typeof read === 'string') return read;
  const isLikeDigest = read.domain === DEFAULT_DOMAIN && DIGEST_REPOSITORY.test(read.path);
  return isLikeDigest ? 'an image must not be named like a digest' : read.withDefaultTag();
}

function readReference(text: string): Reference | string {
  if (IMAGE_ID.test(text)) return 'an image id is not a name';
  const [host, rest] = splitDomain(text);
  const [tagged, digest] = cut(rest, '@');
  const [path, tag] = cut(tagged, ':');
  const name = DOMAIN.test(host) ? { domain: host, path } : { domain: '', path: `${host}/${path}` };
  const fault = pathFault(name.path);
  if (fault !== undefined) return fault;
  if (tag !== undefined && !TAG.test(tag)) return `${quote(tag)} is not a tag`;
  if (digest !== undefined && !isDigest(digest)) return `${quote(digest)} is not a digest that we know`;
  return new ParsedReference(name, {
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  });
}

function orThrow(read: Reference | string, text: string): Reference {
  if (typeof read !== 'string') return read;
  throw new LadingError('ERR_REFERENCE_INVALID', `image name ${quote(text)}: ${read}; write it like example/app:1.0`);
}

/** Whether a text is a tag, as a name may have it. */
export function isTag(text: string): boolean {
  return TAG.test(text);
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

/** Why the path is not a repository; undefined if it is one. */
function pathFault(path: string): string | undefined {
  if (path.length > MAX_PATH_CHARACTERS) return `the repository is over ${MAX_PATH_CHARACTERS} characters`;
  if (/[A-Z]/.test(path)) return 'the repository has upper case letters';
  return path.split('/').every((part) => PATH_PART.test(part)) ? undefined : `${quote(path)} is not a repository`;
}

function cut(text: string, separator: string): readonly [before: string, after: string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
