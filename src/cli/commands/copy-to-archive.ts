import { choosingOf } from '../../copy/closing.js';
import { judgePlan } from '../../copy/judge-plan.js';
import { planExport } from '../../export/plan-export.js';
import { againWithoutMirror } from '../../registry/mirrors.js';
import type { ImageSource } from '../../stores/store.js';
import { checkOutput, isFile, writeArchive, type ArchiveContext } from '../archive-file.js';
import { renamedTo } from '../renamed-images.js';
import { splitFile, type Place } from '../transports.js';
import { choicesOf, type CopyCommandOptions } from './copy-choices.js';
import type { CopyOutcome } from './copy-outcome.js';

/** Images, and the place in the archive that they go to. */
export interface ArchivePlace {
  readonly to: Place;
  readonly names: readonly string[];
}

/** Writes images into one archive, if the policy allows all of them. */
export async function copyToArchive(
  source: ImageSource,
  places: readonly ArchivePlace[],
  options: CopyCommandOptions,
  context: ArchiveContext,
): Promise<CopyOutcome> {
  const files = places.map(({ to, names }) => ({ to, names, ...splitFile(to.rest) }));
  const path = files[0]?.path;
  checkOutput(path);
  const renamed = renamedTo(source, files, options);
  const copying = { ...choicesOf(options, context), sourceName: renamed.sourceName };
  const plan = await planExport(renamed.source, renamed.names, choosingOf(copying));
  const trust = await judgePlan(renamed.source, plan, copying);
  const write = async () => await writeArchive(renamed.source, plan, path, context);
  // What was written to stdout cannot be taken back.
  await (isFile(path) ? againWithoutMirror(write) : write());
  const { images, blobs, warnings, incomplete } = plan;
  return {
    images,
    blobs: { copied: blobs.count, bytesCopied: blobs.bytes },
    warnings,
    ...(trust && { trust }),
    incomplete,
    upToDate: false,
  };
}
