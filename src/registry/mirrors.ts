import { LadingError, quote } from '../model/errors.js';
import { check, CALLBACK, FLAG, listOf, must, OBJECT, optionsOf, TEXT } from '../model/rules.js';
import { parseHost, parseRegistryReference, repositoryOf, type RepositoryName } from './registry-name.js';

/** A registry that has copies of what another one has. It is only read. */
export interface Mirror {
  /** `HOST[:PORT]`, or `HOST[:PORT]/PREFIX` if its repositories have a path before those of the other registry. */
  readonly host: string;
  /** Whether it is asked what a tag means. Default: no, since an old copy would move the tag back. */
  readonly tags?: boolean;
  /** Whether each request says whose repository is meant, as `?ns=HOST`. Default: no. */
  readonly ns?: boolean;
}

/** A mirror of one repository: where it is, and how to ask. */
export interface MirrorPlace {
  readonly repository: RepositoryName;
  /** The registry that it mirrors. */
  readonly of: string;
  readonly ns: boolean;
}

/** How long a mirror that failed is left out, in milliseconds. */
export const REST_MS = 60_000;

/** Entries of mirrors that rest, above which those that are over are dropped. */
const MANY = 1000;

const MIRROR = optionsOf<Mirror>({ host: TEXT, tags: FLAG, ns: FLAG }, ['host']);

/**
 * The mirrors of registries, by host, in the order in which they are asked. Operations that share one leave a mirror
 * out together: for a minute after a failure, and a repository of it for a minute after it did not know an image.
 * Throws ERR_OPTION_INVALID, ERR_REFERENCE_INVALID. Holds one number for each mirror or repository that is left out.
 */
export class Mirrors {
  readonly #byHost: ReadonlyMap<string, readonly (Mirror & { readonly place: RepositoryName })[]>;
  readonly #now: () => number;
  readonly #restsUntil = new Map<string, number>();

  /** `now` gives milliseconds. */
  constructor(mirrors: Readonly<Record<string, readonly Mirror[]>>, now: () => number) {
    check({ now: CALLBACK }, { now });
    this.#now = now;
    this.#byHost = checkMirrors(mirrors);
  }

  /** Those that may have an image of the repository, and are not left out now. */
  placesOf({ host, path }: RepositoryName, asked: 'tag' | 'digest'): readonly MirrorPlace[] {
    const all = this.#byHost.get(host) ?? [];
    return all
      .filter(({ tags = false }) => asked === 'digest' || tags)
      .map(({ place, ns = false }) => ({
        repository: { host: place.host, path: place.path === '' ? path : `${place.path}/${path}` },
        of: host,
        ns,
      }))
      .filter(({ repository }) => !this.#rests(repository.host) && !this.#rests(labelOf(repository)));
  }

  /** Leaves a whole mirror out for a minute, or longer if it asks for that. Gives whether it was not left out before. */
  rest({ repository: { host } }: MirrorPlace, ms = REST_MS): boolean {
    const isNew = !this.#rests(host);
    this.#note(host, Math.max(ms, REST_MS));
    return isNew;
  }

  /** Leaves a repository of a mirror out for a minute. */
  restRepository({ repository }: MirrorPlace): void {
    this.#note(labelOf(repository), REST_MS);
  }

  #rests(key: string): boolean {
    return (this.#restsUntil.get(key) ?? 0) > this.#now();
  }

  #note(key: string, ms: number): void {
    if (this.#restsUntil.size >= MANY)
      for (const [old] of this.#restsUntil) if (!this.#rests(old)) this.#restsUntil.delete(old);
    this.#restsUntil.set(key, this.#now() + ms);
  }
}

/** The mirrors by host. Throws ERR_OPTION_INVALID, ERR_REFERENCE_INVALID. */
export function checkMirrors(
  mirrors: Readonly<Record<string, readonly Mirror[]>>,
): ReadonlyMap<string, readonly (Mirror & { readonly place: RepositoryName })[]> {
  check({ mirrors: OBJECT }, { mirrors });
  return new Map(Object.entries(mirrors).map(([text, list]) => entryOf(text, list)));
}

function labelOf({ host, path }: RepositoryName): string {
  return `${host}/${path}`;
}

function entryOf(text: string, list: readonly Mirror[]) {
  const host = parseHost(text);
  listOf(MIRROR)(list, `mirrors[${quote(text)}]`);
  const parsed = list.map((mirror) => ({ ...mirror, place: placeOf(mirror.host) }));
  must(`another registry than ${host}`, (value) => value !== host)(
    parsed.find(({ place }) => place.host === host && place.path === '')?.place.host,
    `a mirror of ${host}`,
  );
  return [host, parsed] as const;
}

/** The host of a mirror, and the path before its repositories. */
function placeOf(text: string): RepositoryName {
  const bare = text.replace(/\/+$/, '');
  if (!bare.includes('/')) return { host: parseHost(bare), path: '' };
  const reference = parseRegistryReference(bare);
  if (
    reference.tag === undefined &&
    reference.digest === undefined &&
    bare.toLowerCase() === `${repositoryOf(reference).host}/${reference.path}`
  )
    return repositoryOf(reference);
  throw new LadingError(
    'ERR_REFERENCE_INVALID',
    `${quote(text)} is no mirror, such as mirror.example:5000 or harbor.example/hub`,
  );
}

/** Does the work, and once again if a mirror gave wrong bytes that were used already: another place is asked then. */
export async function againWithoutMirror<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LadingError) || error.details['mirror'] === undefined) throw error;
    return await work();
  }
}
