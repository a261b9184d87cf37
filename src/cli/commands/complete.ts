import { listImages } from '../../inspect/list-images.js';
import { labelOfTag } from '../../model/image-list.js';
import { parseReference } from '../../model/reference.js';
import { printable } from '../../model/shown-text.js';
import { completionOf, valueOf, type Completion, type StoreWords, type Suggestion } from '../complete-words.js';
import { openStore } from '../command-context.js';
import { printText } from '../console.js';
import { program } from '../program.js';

/** How long a shell waits for us, in milliseconds. */
const MOST_MS = 1000;

/**
 * `lading __complete WORD... CURRENT`: prints what may stand in the place of the last word. Reads the list of images at
 * most, and the documents of one image for its platforms. Says nothing, and succeeds, whatever happens.
 */
export async function complete(args: readonly string[]): Promise<void> {
  setTimeout(() => process.exit(0), MOST_MS).unref();
  const [words, current] = [args.slice(0, -1), args.at(-1) ?? ''];
  try {
    const lines = await linesOf(completionOf(program(), words, current), words, current);
    await printText(lines.map((line) => `${line}\n`).join(''));
  } catch {
    // There is nothing to suggest.
  }
}

async function linesOf(completion: Completion, words: readonly string[], current: string): Promise<readonly string[]> {
  if (completion.kind === 'files' || completion.kind === 'folders') return [`:${completion.kind}`];
  const suggestions = await suggestionsOf(completion, words, current);
  return suggestions
    .filter(({ value }) => value.startsWith(current))
    .map(({ value, text }) => [value, ...(text === undefined ? [] : [text])].map(printable).join('\t'));
}

async function suggestionsOf(
  completion: StoreWords,
  words: readonly string[],
  current: string,
): Promise<readonly Suggestion[]> {
  if (completion.kind === 'words') return completion.words;
  if (completion.kind === 'images') return await imagesOf(words);
  const before = current.slice(0, current.lastIndexOf(',') + 1);
  const used = new Set(before.split(','));
  const platforms = await platformsOf(words, completion.images);
  return platforms.filter((one) => !used.has(one)).map((one) => ({ value: `${before}${one}` }));
}

async function imagesOf(words: readonly string[]): Promise<readonly Suggestion[]> {
  const store = await openStore(storeIn(words), 'read');
  const names = (await store.list()).flatMap((record) =>
    record.name === undefined ? (labelOfTag(record) ?? []) : parseReference(record.name).familiar(),
  );
  return [...new Set(names)].toSorted().map((value) => ({ value }));
}

/** The platforms that the images on the line list; without an image, those of all. */
async function platformsOf(words: readonly string[], images: readonly string[]): Promise<readonly string[]> {
  const listing = await listImages(await openStore(storeIn(words), 'read'), { names: images });
  return [...new Set(listing.images.flatMap(({ platforms }) => platforms.map(({ platform }) => platform)))].toSorted();
}

function storeIn(words: readonly string[]): { readonly store?: string } {
  const store = valueOf(words, '--store');
  return store === undefined ? {} : { store };
}
