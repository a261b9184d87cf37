import { decorated } from '../model/decorated.js';
import type { ImageRecord } from '../model/image-list.js';
import { parseReference } from '../model/reference.js';
import type { ImageSource } from '../stores/store.js';

/** The name that an image has at its source, and the one that it gets. Both in full. */
export interface Renaming {
  readonly from: string;
  readonly to: string;
}

/**
 * The source with another name for one image. What belongs to the image by its tag, such as a signature, gets the new
 * repository and keeps its tag. Texts that are resolved are the new names.
 */
export function renamedSource(source: ImageSource, { from, to }: Renaming): ImageSource {
  const [old, now] = [repositoryOf(from), repositoryOf(to)];
  const toOld = (text: string): string => (text === to ? from : swapped(text, now, old));
  const toNew = (record: ImageRecord): ImageRecord =>
    record.name === undefined
      ? record
      : { ...record, name: record.name === from ? to : swapped(record.name, old, now) };
  return decorated<ImageSource>(source, {
    resolve: async (texts) => (await source.resolve(texts.map(toOld))).map(toNew),
    companionsOf: async (repository, subjects) =>
      (await source.companionsOf(repository === now ? old : repository, subjects)).map(toNew),
  });
}

function swapped(text: string, repository: string, other: string): string {
  return text === repository || text.startsWith(`${repository}:`) || text.startsWith(`${repository}@`)
    ? other + text.slice(repository.length)
    : text;
}

function repositoryOf(name: string): string {
  const { domain, path } = parseReference(name);
  return domain === '' ? path : `${domain}/${path}`;
}
