import { LadingError } from '../../model/errors.js';
import { RewritingDestination, type RewriteWhen } from '../../copy/rewriting-destination.js';
import { loadImages } from '../../load/load-images.js';
import type { ImageDestination } from '../../stores/store.js';
import { openInput } from '../archive-file.js';
import { hinted } from '../hints.js';
import { inputChoice } from '../input-choice.js';
import type { Place } from '../transports.js';
import type { choicesOf } from './copy-choices.js';
import type { CopyOutcome } from './copy-outcome.js';

/** Where the images of an archive go. */
export interface ArchiveTarget {
  readonly destination: ImageDestination;
  /** The name that they get. */
  readonly name?: string;
  readonly isRegistry: boolean;
}

/** Copies the images of an archive, in one pass. */
export async function copyArchive(
  from: Place,
  { destination, name, isRegistry }: ArchiveTarget,
  choices: ReturnType<typeof choicesOf>,
): Promise<CopyOutcome> {
  const { index: _, ...loading } = choices;
  const rewriting = new RewritingDestination(destination, whenToRewrite(choices, isRegistry));
  const { input, image } = inputChoice(from.rest);
  const options = { ...loading, ...(image !== undefined && { image }), ...(name !== undefined && { name }) };
  const report = await loadImages(rewriting.destination, openInput(input), options).catch((error: unknown) => {
    throw hintStore(error);
  });
  const { images } = report;
  const warnings = [...report.warnings, ...rewriting.warningsOf(images)].filter(
    ({ code }) => !isRegistry || code !== 'WARN_TAG_ONLY',
  );
  const { stored, present, bytesStored } = report.blobs;
  return {
    images: rewriting.imagesOf(images),
    blobs: { copied: stored, present, bytesCopied: bytesStored },
    warnings,
    ...(report.trust && { trust: report.trust }),
    incomplete: report.incomplete,
    upToDate: false,
  };
}

/**
 * Always, if that is wished. A registry that refuses an index without all of its images gets a new one of what was chosen,
 * unless a policy has judged the one before.
 */
function whenToRewrite(
  { index, platforms, referrers, policy }: ReturnType<typeof choicesOf>,
  isRegistry: boolean,
): RewriteWhen {
  if (index === 'rewrite' && policy !== undefined)
    throw new LadingError(
      'ERR_OPTION_INVALID',
      'a policy judges the index of the archive, so no new one can be written',
    );
  if (index === 'rewrite') return 'always';
  const isPart = platforms.length > 0 || referrers === 'drop';
  return isRegistry && index === 'auto' && isPart && policy === undefined ? 'refused' : 'never';
}

/** What cannot be made anew on its way, a store can. */
function hintStore(error: unknown): unknown {
  const code = error instanceof LadingError ? error.details['registryCode'] : undefined;
  if (code !== 'MANIFEST_BLOB_UNKNOWN') return error;
  return hinted(
    error,
    'ERR_REGISTRY_REFUSED',
    'the registry takes no index without all of its images: load the archive into a store, and push the part from there',
  );
}
