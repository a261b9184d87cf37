import { ANNOTATIONS, type Descriptor } from './descriptor.js';
import { isCompanionName } from './companion-tag.js';
import { isDigest } from './digest.js';
import { readImageName, type Reference } from './reference.js';

/**
 * The roots of an `index.json` that may be the chosen image, or belong to it. `choice` is a tag, a name or a digest.
 * They may be too many, never too few: a root without a name may be a referrer, and if none has the choice, only
 * `manifest.json` may tell which one is meant.
 */
export function rootsThatMayBe(choice: string, roots: readonly Descriptor[]): readonly Descriptor[] {
  const isChosen = choiceOf(choice);
  if (!roots.some(isChosen)) return roots;
  return roots.filter((root) => isChosen(root) || textsOf(root).every(isCompanionName));
}

/** Whether one of the roots has the choice. */
export function areRootsChosen(choice: string, roots: readonly Descriptor[]): boolean {
  return roots.some(choiceOf(choice));
}

/** Whether an image of `manifest.json` with these names may be the chosen one. Nothing there tells its digest. */
export function mayHaveName(choice: string, names: readonly string[]): boolean {
  return names.length === 0 || isDigest(choice) || names.some((name) => isNameOf(name, choice, referenceOf(choice)));
}

function choiceOf(choice: string): (root: Descriptor) => boolean {
  const full = referenceOf(choice);
  return (root) => root.digest === choice || textsOf(root).some((text) => isNameOf(text, choice, full));
}

function isNameOf(text: string, choice: string, full: string | undefined): boolean {
  if (text === choice) return true;
  const name = readImageName(text);
  return typeof name !== 'string' && (name.toString() === full || name.tag === choice);
}

function referenceOf(text: string): string | undefined {
  const read: Reference | string = readImageName(text);
  return typeof read === 'string' ? undefined : read.toString();
}

/** The names and tags of a root. */
function textsOf({ annotations }: Descriptor): readonly string[] {
  return [annotations?.[ANNOTATIONS.imageName], annotations?.[ANNOTATIONS.refName]].filter(
    (text) => text !== undefined,
  );
}
