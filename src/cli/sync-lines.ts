import pLimit from 'p-limit';
import { isCompanionTag } from '../model/companion-tag.js';
import { LadingError } from '../model/errors.js';
import { unknownRepository } from '../registry/registry-errors.js';
import type { Registries } from '../registry/registries.js';
import { nameOfRepository, type RepositoryName } from '../registry/registry-name.js';
import { listTags } from '../registry/tags.js';
import { copyLine, type CopyLine } from './copy-lines.js';
import type { SyncEntry } from './sync-document.js';

/** What an entry means now: a line for each tag and digest, or why nobody can say. */
export interface ExpandedEntry {
  readonly entry: SyncEntry;
  readonly lines: readonly CopyLine[];
  readonly error?: unknown;
}

/** Lists of tags that are asked for at once. */
const LISTS = 8;

/** The lines of the entries: each repository is asked once for its tags. One that fails stops no other. */
export async function expandEntries(
  entries: readonly SyncEntry[],
  registries: Registries,
  signal: AbortSignal,
): Promise<readonly ExpandedEntry[]> {
  const limit = pLimit(LISTS);
  const listings = new Map<string, Promise<readonly string[]>>();
  const tagsOf = async ({ source }: SyncEntry): Promise<readonly string[]> => {
    const name = nameOfRepository(source);
    const listing = listings.get(name) ?? limit(async () => await tagsIn(source, registries));
    listings.set(name, listing);
    return await listing;
  };
  const expanding = entries.map(async (entry) => {
    try {
      const chosen = entry.choose === undefined ? [] : choose(entry, await tagsOf(entry));
      return { entry, lines: linesOf(entry, [...(entry.tags ?? []), ...chosen]) };
    } catch (error) {
      if (signal.aborted) throw error;
      return { entry, lines: [], error };
    }
  });
  return await Promise.all(expanding);
}

async function tagsIn(source: RepositoryName, registries: Registries): Promise<readonly string[]> {
  const tags = await listTags(registries.repository(source, 'pull'));
  if (tags === undefined) throw unknownRepository(source);
  return tags;
}

/** Signatures and lists of referrers go with their images, and are no images themselves. */
function choose({ at, source, choose: chosenOf }: SyncEntry, listed: readonly string[]): readonly string[] {
  const tags = listed.filter((tag) => !isCompanionTag(tag));
  const chosen = chosenOf?.(tags) ?? [];
  if (chosen.length > 0) return chosen;
  const message = `${at}: none of the ${tags.length} tags of ${nameOfRepository(source)} is wanted; correct the rule`;
  throw new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image: nameOfRepository(source) } });
}

function linesOf(entry: SyncEntry, tags: readonly string[]): readonly CopyLine[] {
  const versions = [...new Set([...tags.map((tag) => `:${tag}`), ...entry.digests.map((digest) => `@${digest}`)])];
  return versions.map((version) => ({ ...entryLine(entry, version), choices: entry.choices }));
}

/** The line of an entry as a whole, or of one version in it. */
export function entryLine({ source, target }: SyncEntry, version = ''): CopyLine {
  return copyLine(`docker://${nameOfRepository(source)}${version}`, `docker://${nameOfRepository(target)}${version}`);
}
