import { parseStrictJson } from '../content/strict-json.js';
import { isTag } from '../model/reference.js';
import { readBody } from './answers.js';
import { nextLink } from './pages.js';
import type { Repository } from './repository.js';

const PAGE_TAGS = 1000;
const MAX_PAGE_BYTES = 20 * 1024 * 1024;
const MAX_PAGES = 10_000;
/** Pages in a row that bring nothing new, but lead on: a registry may show less than it has. */
const MAX_IDLE_PAGES = 10;
/** Characters of all names together. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** Every tag of a repository, sorted by code units; undefined if there is no such repository. */
export async function listTags(repository: Repository): Promise<readonly string[] | undefined> {
  const first = repository.path('tags/list');
  return await listNames(repository, { first, what: `tags of ${repository.label}`, field: 'tags', isName: isTag });
}

/** The paths of every repository that the registry shows, sorted by code units; undefined if it has no such list. */
export async function listRepositories(registry: Repository): Promise<readonly string[] | undefined> {
  const what = `the catalogue of ${registry.name.host}`;
  return await listNames(registry, { first: '/v2/_catalog', what, field: 'repositories', isName: () => true });
}

/** A list that comes in pages: where it starts, what it is in messages, and the field that has the names. */
interface NameList {
  readonly first: string;
  readonly what: string;
  readonly field: 'tags' | 'repositories';
  /** Some registries list more than names. */
  readonly isName: (text: string) => boolean;
}

/** Holds all names, which are 16 MiB of characters at most, and one page. */
async function listNames(repository: Repository, list: NameList): Promise<readonly string[] | undefined> {
  const { first, what } = list;
  const known = new Set<string>();
  const asked = new Set<string>();
  let [characters, idle] = [0, 0];
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
    const listed = await namesIn(bytes, list);
    const news = listed.filter((name) => list.isName(name) && !known.has(name));
    for (const name of news) known.add(name);
    characters += news.reduce((sum, { length }) => sum + length, 0);
    idle = news.length > 0 ? 0 : idle + 1;
    asked.add(answer.url.href);
    const fault = faultOf({ pages: asked.size, idle, characters });
    if (fault !== undefined) throw repository.broken(answer, call, fault);
    next = nextLink(repository, answer, what) ?? (news.length > 0 ? pageAfter(first, listed) : undefined);
    if (next !== undefined && asked.has(new URL(next, answer.url).href))
      throw repository.broken(answer, call, 'its pages lead in a circle');
  }
  return [...known].toSorted((a, b) => (a < b ? -1 : 1));
}

/** What is wrong with the pages so far; undefined if they may go on. */
function faultOf({ pages, idle, characters }: Readonly<Record<'pages' | 'idle' | 'characters', number>>) {
  if (pages > MAX_PAGES) return `the list has more than ${MAX_PAGES} pages`;
  if (idle > MAX_IDLE_PAGES) return `${idle} pages in a row bring nothing new, and lead on`;
  return characters > MAX_CHARACTERS ? `the list has more than ${MAX_CHARACTERS} characters` : undefined;
}

/** A registry that sends full pages without a link may have more. */
function pageAfter(first: string, listed: readonly string[]): string | undefined {
  const last = listed.at(-1);
  if (listed.length !== PAGE_TAGS || last === undefined) return undefined;
  return `${first}?n=${PAGE_TAGS}&last=${encodeURIComponent(last)}`;
}

async function namesIn(bytes: Buffer, { what, field }: Pick<NameList, 'what' | 'field'>): Promise<readonly string[]> {
  const names = ((await parseStrictJson(bytes, what, 16)) as Readonly<Record<string, unknown>> | null)?.[field];
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}
