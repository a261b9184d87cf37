import { parseStrictJson } from '../content/strict-json.js';
import { isTag } from '../model/reference.js';
import { readBody, type Answer } from './answers.js';
import { nextLink } from './pages.js';
import type { Repository } from './repository.js';

const PAGE_TAGS = 1000;
const MAX_PAGE_BYTES = 20 * 1024 * 1024;
const MAX_PAGES = 10_000;

/** Every tag of a repository, sorted by code units; undefined if there is no such repository. */
export async function listTags(repository: Repository): Promise<readonly string[] | undefined> {
  const known = new Set<string>();
  const asked = new Set<string>();
  let next: string | URL | undefined = `${repository.path('tags/list')}?n=${PAGE_TAGS}`;
  while (next !== undefined) {
    const call = { method: 'GET', to: next, what: `tags of ${repository.label}` } as const;
    const answer = await repository.send(call);
    if (answer.status === 404 && asked.size === 0) {
      answer.discard();
      return undefined;
    }
    if (answer.status !== 200) throw await repository.refusalOf(answer, call);
    const bytes = await readBody(answer, MAX_PAGE_BYTES, repository.askedOf(answer, call));
    const tags = await tagsIn(bytes, call.what);
    const isNew = tags.some((tag) => !known.has(tag));
    for (const tag of tags) known.add(tag);
    asked.add(answer.url.href);
    if (asked.size > MAX_PAGES) throw repository.broken(answer, call, `it has more than ${MAX_PAGES} pages of tags`);
    next = isNew ? nextPage(repository, answer, tags) : undefined;
    if (next !== undefined && asked.has(new URL(next, answer.url).href))
      throw repository.broken(answer, call, 'its pages of tags lead in a circle');
  }
  return [...known].filter(isTag).toSorted((a, b) => (a < b ? -1 : 1));
}

function nextPage(repository: Repository, answer: Answer, tags: readonly string[]): string | URL | undefined {
  const link = nextLink(repository, answer, `tags of ${repository.label}`);
  if (link !== undefined) return link;
  // A registry that sends full pages without a link may have more.
  const last = tags.at(-1);
  if (tags.length !== PAGE_TAGS || last === undefined) return undefined;
  return `${repository.path('tags/list')}?n=${PAGE_TAGS}&last=${encodeURIComponent(last)}`;
}

async function tagsIn(bytes: Buffer, where: string): Promise<readonly string[]> {
  const { tags } = ((await parseStrictJson(bytes, where, 16)) ?? {}) as { readonly tags?: unknown };
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
}
