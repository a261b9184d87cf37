import type { ListedImage } from '../inspect/list-images.js';
import { LadingError, quote } from '../model/errors.js';
import { Glob, isPattern, textsOfName } from '../model/glob.js';
import type { ImageRecord } from '../model/image-list.js';
import { resolveRecords } from '../model/resolve-records.js';
import { timeOf } from './image-table.js';

/** Whether an image passes. */
type ImageTest = (image: ListedImage) => boolean;

/**
 * The images that one of the texts means, or all without texts, and that pass every `--filter KEY=VALUE`: docker's
 * `dangling`, `reference`, `label`, `label!`, `before` and `since`, and `platform`. Of several references or platforms
 * one is enough. Throws ERR_OPTION_INVALID, and what `resolveRecords` throws.
 */
export function filtered(
  images: readonly ListedImage[],
  texts: readonly string[],
  filters: readonly string[],
): readonly ListedImage[] {
  const meant = new Set(texts.flatMap((text) => meantBy(images, text)));
  const isWanted = imageTest(images, filters.map(parseFilter));
  return images.filter((image) => (texts.length === 0 || meant.has(image)) && isWanted(image));
}

/** The images that a pattern, a name or an id means. A pattern may mean none. */
function meantBy(images: readonly ListedImage[], text: string): readonly ListedImage[] {
  if (isPattern(text)) return images.filter(referenceTest(text));
  const byRecord = new Map(images.map((image) => [recordOf(image), image]));
  return resolveRecords([...byRecord.keys()], text).flatMap((record) => {
    const image = byRecord.get(record);
    return image === undefined ? images.filter(({ digest }) => digest === record.descriptor.digest) : [image];
  });
}

function recordOf({ name, tag, digest }: ListedImage): ImageRecord {
  return {
    ...(name !== undefined && { name }),
    ...(tag !== undefined && { tag }),
    descriptor: { digest, mediaType: '', size: 0 },
  };
}

function imageTest(images: readonly ListedImage[], filters: readonly Filter[]): ImageTest {
  const valuesOf = (key: string): readonly string[] =>
    filters.filter((filter) => filter.key === key).map(({ value }) => value);
  const createdOf = (name: string): number => timeOf(meantBy(images, name)[0]?.created);
  const all: ImageTest[] = [
    ...valuesOf('dangling').map(danglingTest),
    ...valuesOf('label').map(labelTest),
    ...valuesOf('label!').map((text) => not(labelTest(text))),
    ...valuesOf('before')
      .map(createdOf)
      .map(
        (limit): ImageTest =>
          ({ created }) =>
            timeOf(created) < limit,
      ),
    ...valuesOf('since')
      .map(createdOf)
      .map(
        (limit): ImageTest =>
          ({ created }) =>
            timeOf(created) > limit,
      ),
    ...anyOf(valuesOf('reference').map(referenceTest)),
    ...anyOf(valuesOf('platform').map(platformTest)),
  ];
  return (image) => all.every((passes) => passes(image));
}

interface Filter {
  readonly key: string;
  readonly value: string;
}

const KEYS = ['before', 'dangling', 'label', 'label!', 'platform', 'reference', 'since'];

function parseFilter(text: string): Filter {
  const [, key = '', value = ''] = /^([a-z]+!?)=(.+)$/s.exec(text) ?? [];
  if (KEYS.includes(key)) return { key, value };
  throw wrong(`${quote(text)} is not a filter; use KEY=VALUE with one of ${KEYS.join(', ')}`);
}

function danglingTest(value: string): ImageTest {
  if (!['true', '1', 'false', '0'].includes(value)) throw wrong(`dangling is true or false, not ${quote(value)}`);
  const isWanted = value === 'true' || value === '1';
  return ({ name }) => (name === undefined) === isWanted;
}

function labelTest(text: string): ImageTest {
  const at = text.indexOf('=');
  const [key, value] = at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  return ({ labels = {} }) => Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
}

/** A pattern fits the name with or without its tag, as docker prints it or in full. */
function referenceTest(pattern: string): ImageTest {
  const glob = Glob.parse(pattern);
  if (glob === undefined) throw wrong(`${quote(pattern)} is not a pattern`);
  return ({ name }) => name !== undefined && textsOfName(name).some((text) => glob.matches(text));
}

/** `linux/arm64` is complete in the image. `arm64` fits each OS. */
function platformTest(text: string): ImageTest {
  return ({ platforms }) =>
    platforms.some(
      ({ platform, state }) => state === 'complete' && (platform === text || platform.endsWith(`/${text}`)),
    );
}

function anyOf(tests: readonly ImageTest[]): readonly ImageTest[] {
  return tests.length === 0 ? [] : [(image) => tests.some((passes) => passes(image))];
}

function not(test: ImageTest): ImageTest {
  return (image) => !test(image);
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
