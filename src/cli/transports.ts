import { LadingError, quote } from '../model/errors.js';
import { isTag, parseReference } from '../model/reference.js';
import { DOCKER_SCHEME } from '../registry/registry-name.js';

/** Where images are: a registry, the store, a layout directory, or an archive. */
export type Transport = 'docker' | 'store' | 'oci' | 'oci-archive' | 'docker-archive';

/** One side of a copy. */
export interface Place {
  readonly transport: Transport;
  /** What comes after the transport: a name, or a path that may have a name or tag behind a colon. */
  readonly rest: string;
}

const TRANSPORTS: readonly Transport[] = ['store', 'oci', 'oci-archive', 'docker-archive'];

/** The beginnings of all places. */
export const PLACE_STARTS: readonly string[] = [DOCKER_SCHEME, ...TRANSPORTS.map((transport) => `${transport}:`)];

/** The place of a text like `docker://NAME` or `oci-archive:FILE`. Throws ERR_OPTION_INVALID, with what may be meant. */
export function parsePlace(text: string): Place {
  if (text.startsWith(DOCKER_SCHEME)) return { transport: 'docker', rest: text.slice(DOCKER_SCHEME.length) };
  const at = text.indexOf(':');
  const transport = TRANSPORTS.find((one) => one === text.slice(0, at));
  if (transport !== undefined && at + 1 < text.length) return { transport, rest: text.slice(at + 1) };
  const message = `${quote(text)} does not say where it is; did you mean docker://${text} for a registry or store:${text} for the store? There are also oci:DIR, oci-archive:FILE and docker-archive:FILE`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

/** Whether a place is an archive. */
export function isArchive({ transport }: Place): boolean {
  return transport === 'oci-archive' || transport === 'docker-archive';
}

/** Whether a place is an archive on stdout. */
export function isOnStdout(place: Place): boolean {
  return isArchive(place) && /^(?:-|\/dev\/.*)$/.test(splitFile(place.rest).path);
}

/** A path, and what stands behind it. */
export interface NamedPath {
  readonly path: string;
  readonly name?: string;
}

/** `DIR[:TAG]`: the last colon parts them, if what follows can be a tag. */
export function splitFolder(rest: string): NamedPath {
  const at = rest.lastIndexOf(':');
  const after = rest.slice(at + 1);
  return at > 0 && isTag(after) ? { path: rest.slice(0, at), name: after } : { path: rest };
}

/** `FILE[:NAME]`: the first colon parts them. */
export function splitFile(rest: string): NamedPath {
  const at = rest.indexOf(':');
  return at > 0 && at + 1 < rest.length ? { path: rest.slice(0, at), name: rest.slice(at + 1) } : { path: rest };
}

/**
 * The full name that an image gets at the place: a bare tag stays in the repository of its old name. Of a docker-archive
 * a bare word is a name, as in docker.
 */
export function nameAt({ transport }: Place, name: string, from: string): string {
  if (transport === 'docker-archive' || transport === 'store' || !isTag(name)) return name;
  const { domain, path } = parseReference(from);
  return `${domain}/${path}:${name}`;
}
