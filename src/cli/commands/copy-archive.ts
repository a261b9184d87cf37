import { LadingError } from '../../model/errors.js';
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
  const { input, image } = inputChoice(from.rest);
  const options = { ...loading, ...(image !== undefined && { image }), ...(name !== undefined && { name }) };
  const report = await loadImages(destination, openInput(input), options).catch((error: unknown) => {
    throw hintStore(error);
  });
  const warnings = report.warnings.filter(({ code }) => !isRegistry || code !== 'WARN_TAG_ONLY');
  const { stored, present, bytesStored } = report.blobs;
  return {
    images: report.images,
    blobs: { copied: stored, present, bytesCopied: bytesStored },
    warnings,
    ...(report.trust && { trust: report.trust }),
    incomplete: report.incomplete,
    upToDate: false,
  };
}

/** A pipe is read only once, so an index of a part cannot be written anew; a store can. */
function hintStore(error: unknown): unknown {
  const code = error instanceof LadingError ? error.details['registryCode'] : undefined;
  if (code !== 'MANIFEST_BLOB_UNKNOWN') return error;
  return hinted(
    error,
    'ERR_REGISTRY_REFUSED',
    'the registry takes no index without all of its images: load the archive into a store, and push the part from there',
  );
}
