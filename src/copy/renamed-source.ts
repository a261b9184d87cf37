import { decorated } from '../model/decorated.js';
import type { ImageRecord } from '../model/image-list.js';
import { parseReference } from '../model/reference.js';
import type { ImageSource } from '../stores/store.js';

/** The name that an image has at its source, and the one that it gets; the same for one that keeps its name. In full. */
export interface Renaming {
  readonly from: string;
  readonly to: string;
}

/** A renaming with the repositories of its names. */
interface Move extends Renaming {
  readonly old: string;
  readonly now: string;
}

/**
 * The source with other names for its images. What belongs to an image by its tag, such as a signature, gets the new
 * repository and keeps its tag. Texts that are resolved are the new names.
 */
export function renamedSource(source: ImageSource, renamings: readonly Renaming[]): ImageSource {
  const moves = renamings.map(({ from, to }) => ({ from, to, old: repositoryOf(from), now: repositoryOf(to) }));
  const resolveOne = async (text: string): Promise<readonly ImageRecord[]> => {
    const move = moves.find(({ to }) => to === text) ?? moves.find(({ now }) => isIn(text, now));
    if (move === undefined) return (await source.resolve([text])).map((record) => movedByAny(record, moves));
    const old = text === move.to ? move.from : swapped(text, move.now, move.old);
    return (await source.resolve([old])).map((record) => moved(record, move));
  };
  return decorated<ImageSource>(source, {
    resolve: async (texts) => {
      const found: ImageRecord[] = [];
      for (const text of texts) found.push(...(await resolveOne(text)));
      return found;
    },
    companionsOf: async (repository, subjects) => {
      const from = moves.filter(({ now }) => now === repository);
      if (from.length === 0) return await source.companionsOf(repository, subjects);
      const found = new Map<string | undefined, ImageRecord>();
      for (const move of new Map(from.map((one) => [one.old, one])).values())
        for (const record of await source.companionsOf(move.old, subjects))
          found.set(moved(record, move).name, moved(record, move));
      return [...found.values()];
    },
  });
}

/** The name at the source of an image that is renamed so; of a repository that is renamed, each name has one. */
export function sourceNameOf(name: string, renamings: readonly Renaming[]): string {
  const exact = renamings.find(({ to }) => to === name);
  if (exact !== undefined) return exact.from;
  const around = renamings.find(({ to }) => isIn(name, repositoryOf(to)));
  return around === undefined ? name : swapped(name, repositoryOf(around.to), repositoryOf(around.from));
}

function moved(record: ImageRecord, { from, to, old, now }: Move): ImageRecord {
  if (record.name === undefined) return record;
  return { ...record, name: record.name === from ? to : swapped(record.name, old, now) };
}

function movedByAny(record: ImageRecord, moves: readonly Move[]): ImageRecord {
  const { name } = record;
  const move =
    moves.find(({ from }) => from === name) ?? moves.find(({ old }) => name !== undefined && isIn(name, old));
  return move === undefined ? record : moved(record, move);
}

function isIn(text: string, repository: string): boolean {
  return text === repository || text.startsWith(`${repository}:`) || text.startsWith(`${repository}@`);
}

function swapped(text: string, repository: string, other: string): string {
  return isIn(text, repository) ? other + text.slice(repository.length) : text;
}

function repositoryOf(name: string): string {
  const { domain, path } = parseReference(name);
  return domain === '' ? path : `${domain}/${path}`;
}
