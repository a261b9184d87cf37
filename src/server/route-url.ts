import { withoutVersion } from './api-version.js';

/** Routes that look like `/images/{name}`, but have no name. */
const PLAIN = /^\/images\/(?:json|get|load|create|prune|search)$/;
const NAMED = /^\/(images|distribution)\/(.+)\/(json|history|get|tag|push|attestations)$/;
const DELETED = /^\/(images)\/(.+)$/;

/**
 * The URL that the router sees: without version, and with an image name as one segment, since clients send its slashes
 * as they are (`/images/docker.io/library/app:1/json`).
 */
export function routeUrl(method: string, url: string): string {
  const plain = withoutVersion(url);
  const end = plain.includes('?') ? plain.indexOf('?') : plain.length;
  const [path, query] = [plain.slice(0, end), plain.slice(end)];
  if (method !== 'DELETE' && PLAIN.test(path)) return plain;
  const [, kind, name, what] = (method === 'DELETE' ? DELETED : NAMED).exec(path) ?? [];
  if (kind === undefined || name === undefined) return plain;
  return `/${kind}/${asSegment(name)}${what === undefined ? '' : `/${what}`}${query}`;
}

function asSegment(name: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(name));
  } catch {
    // Wrong percent-encoding: the router refuses it.
    return name;
  }
}
