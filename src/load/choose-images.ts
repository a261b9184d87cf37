import { LadingError, quote } from '../model/errors.js';
import { Glob, isPattern, textsOfName } from '../model/glob.js';
import { fullTextOf, type ImageChoice } from '../model/image-choice.js';
import { labelOfTag, unnamed, type ImageRecord } from '../model/image-list.js';
import { isTag, parseImageName, parseReference, type Reference } from '../model/reference.js';
import { repositoryOf } from '../model/resolve-records.js';
import { labelOfRecord } from '../survey/reports.js';
import { withoutRepeats } from './archive-names.js';

/** Which images of an archive to load, and the name to give it. */
export interface ChoiceOptions {
  /** Only the images that it means. */
  readonly choice?: ImageChoice | undefined;
  /** A repository for the images that have none; with a tag, the name of the one image. */
  readonly name?: Reference | undefined;
}

/** The name of `--name`. Throws ERR_REFERENCE_INVALID. */
export function parseGivenName(text: string): Reference {
  parseImageName(text);
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new LadingError('ERR_REFERENCE_INVALID', `${quote(text)} has a digest; a new name may have a tag only`);
}

/**
 * The chosen images under the names that they get. Throws ERR_IMAGE_UNKNOWN for a text of the choice that means no image,
 * ERR_REFERENCE_AMBIGUOUS for a tag of several, ERR_OPTION_INVALID if the name fits none, ERR_NAME_DUPLICATE.
 */
export function chooseImages(images: readonly ImageRecord[], { choice, name }: ChoiceOptions): readonly ImageRecord[] {
  const meant = new Set(choice?.texts.flatMap((text) => meantBy(images, text)));
  const chosen = choice === undefined ? images : images.filter((image) => meant.has(image));
  return name === undefined ? chosen : withoutRepeats(withName(chosen, name));
}

function meantBy(images: readonly ImageRecord[], text: string): readonly ImageRecord[] {
  const found = isPattern(text) ? fitting(images, text) : namedBy(images, text);
  if (found.length === 0) throw unknownChoice(images.map(labelOfChoice), text);
  return found;
}

/** The images whose name, in one of its forms, fits the pattern; those without a name by their tag. */
function fitting(images: readonly ImageRecord[], pattern: string): readonly ImageRecord[] {
  const glob = Glob.parse(pattern);
  return images.filter(({ name, tag }) => {
    const texts = name === undefined ? [tag ?? ''] : textsOfName(name);
    return texts.some((text) => glob?.matches(text));
  });
}

/** The images with this digest or name, or of this repository; if there is none, the one with this tag. */
function namedBy(images: readonly ImageRecord[], text: string): readonly ImageRecord[] {
  const full = fullTextOf(text);
  const named = images.filter(
    ({ name, descriptor }) =>
      descriptor.digest === text || (name !== undefined && (name === full || repositoryOf(name) === full)),
  );
  if (named.length > 0) return named;
  const tagged = images.filter((record) => tagOf(record) === text);
  if (digestsOf(tagged).size > 1) throw ambiguous(tagged, text);
  return tagged;
}

function tagOf({ name, tag }: ImageRecord): string | undefined {
  return name === undefined ? tag : parseReference(name).tag;
}

function withName(images: readonly ImageRecord[], name: Reference): readonly ImageRecord[] {
  const isOne = digestsOf(images).size === 1;
  if (name.tag !== undefined) return isOne ? withFullName(images, name.toString()) : refuseTag(images, name);
  const isBare = isOne && images.every((record) => tagOf(record) === undefined);
  const named = isBare ? withFullName(images, name.withDefaultTag().toString()) : images.map(inRepository(name));
  if (named.some((record, at) => record !== images[at])) return named;
  const message = `the name ${quote(name.familiar())} fits no image of the archive: each has a repository, or no tag`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

/** The only record of an image gets the name in place of what it had; an image with several gets one more. */
function withFullName(images: readonly ImageRecord[], name: string): readonly ImageRecord[] {
  const [first] = images;
  if (first === undefined) return [];
  const named = { ...unnamed(first), name };
  return images.length === 1 ? [named] : [...images, named];
}

function inRepository(repository: Reference): (record: ImageRecord) => ImageRecord {
  return (record) => {
    const { name, tag } = record;
    if (name !== undefined || tag === undefined || !isTag(tag)) return record;
    return { ...unnamed(record), name: `${repository.toString()}:${tag}` };
  };
}

function digestsOf(images: readonly ImageRecord[]): ReadonlySet<string> {
  return new Set(images.map(({ descriptor }) => descriptor.digest));
}

function refuseTag(images: readonly ImageRecord[], name: Reference): never {
  const message = `the archive has ${digestsOf(images).size} images, so ${quote(name.familiar())} cannot name one; leave its tag out, or choose one image`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

function ambiguous(found: readonly ImageRecord[], text: string): LadingError {
  const candidates = found.map(labelOfChoice);
  const message = `${quote(text)} means ${digestsOf(found).size} images of the archive; give the full name or the digest`;
  return new LadingError('ERR_REFERENCE_AMBIGUOUS', message, { details: { candidates } });
}

/** How many images of the archive a message lists. */
const MAX_LISTED = 10;

/** The error of a text that means no image of the archive, which has these. */
export function unknownChoice(labels: readonly string[], text: string): LadingError {
  const more = labels.length > MAX_LISTED ? ', …' : '';
  const message = `the archive has no image ${quote(text)}; it has ${labels.slice(0, MAX_LISTED).join(', ')}${more}`;
  return new LadingError('ERR_IMAGE_UNKNOWN', message, { details: { image: text } });
}

function labelOfChoice(record: ImageRecord): string {
  return labelOfTag(record) ?? labelOfRecord(record);
}
