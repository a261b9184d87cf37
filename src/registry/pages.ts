import type { Answer } from './answers.js';
import { linkTarget } from './redirects.js';
import type { Repository } from './repository.js';

/** The address of the next page of a list (RFC 8288). Another origin is refused: ERR_REGISTRY_PROTOCOL. */
export function nextLink(repository: Repository, answer: Answer, what: string): URL | undefined {
  const link = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(String(answer.headers['link'] ?? ''))?.[1];
  if (link === undefined) return undefined;
  const call = { what, method: 'GET' } as const;
  const target = linkTarget(link, answer.url, repository.askedOf(answer, call));
  if (target.origin === answer.url.origin) return target;
  throw repository.broken(answer, call, 'the next page is said to be at another host');
}
