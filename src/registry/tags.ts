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
  const first = repository.path('tags/list');
  return (await listNames(repository, { first, what: `tags of ${repository.label}`, field: 'tags' }))?.filter(isTag);
}

/** The paths of every repository that the registry shows, sorted by code units; undefined if it has no such list. */
export async function listRepositories(registry: Repository): Promise<readonly string[] | undefined> {
  const what = `the catalogue of ${registry.name.host}`;
  return await listNames(registry, { first: '/v2/_catalog', what, field: 'repositories' });
}

/** A list that comes in pages: where it starts, what it is in messages, and the field that has the names. */
interface NameList {
  readonly first: string;
  readonly what: string;
  readonly field: 'tags' | 'repositories';
}

async function listNames(
  repository: Repository,
  { first, what, field }: NameList,
): Promise<readonly string[] | undefined> {
  const known = new Set<string>();
  const asked = new Set<string>();
  let next: string | URL | undefined = `${first}?n=${PAGE_TAGS}`;
  while (next !== undefined) {
    const call = { method: 'GET', to: next, what } as const;
    const answer = await repository.send(call);
    if (answer.status === 404 && asked.size === 0) {
      answer.discard();
      return undefined;
    }
    if (answer.status !== 200) throw await repository.refusalOf(answer, call);
    const bytes = await readBody(answer, MAX_PAGE_BYTES, repository.askedOf(answer, call));
    const names = await namesIn(bytes, { what, field });
    const isNew = names.some((name) => !known.has(name));
    for (const name of names) known.add(name);
    asked.add(answer.url.href);
    if (asked.size > MAX_PAGES) throw repository.broken(answer, call, `it has more than ${MAX_PAGES} pages: ${what}`);
    next = isNew ? nextPage(repository, answer, { first, what, names }) : undefined;
    if (next !== undefined && asked.has(new URL(next, answer.url).href))
      throw repository.broken(answer, call, 'its pages lead in a circle');
  }
  return [...known].toSorted((a, b) => (a < b ? -1 : 1));
}

function nextPage(
  repository: Repository,
  answer: Answer,
  { first, what, names }: Pick<NameList, 'first' | 'what'> & { readonly names: readonly string[] },
): string | URL | undefined {
  const link = nextLink(repository, answer, what);
  if (link !== undefined) return link;
  // A registry that sends full pages without a link may have more.
  const last = names.at(-1);
  if (names.length !== PAGE_TAGS || last === undefined) return undefined;
  return `${first}?n=${PAGE_TAGS}&last=${encodeURIComponent(last)}`;
}

async function namesIn(bytes: Buffer, { what, field }: Pick<NameList, 'what' | 'field'>): Promise<readonly string[]> {
  const names = ((await parseStrictJson(bytes, what, 16)) as Readonly<Record<string, unknown>> | null)?.[field];
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}
