import { loadImages } from '../../load/load-images.js';
import type { NameMove, OnConflict } from '../../model/image-list.js';
import { parseReference } from '../../model/reference.js';
import type { ReferrerPolicy } from '../../model/wanted-blobs.js';
import type { ImageReport } from '../../survey/reports.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printLines, printReport, warn } from '../console.js';
import { INCOMPLETE } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { inputChoice } from '../input-choice.js';
import { readKeys } from './verify-keys.js';

export interface LoadCommandOptions extends CommonOptions {
  readonly input?: string;
  readonly platform?: readonly string[];
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
  readonly strict?: boolean;
  readonly onConflict: OnConflict;
  readonly name?: string;
  readonly key?: readonly string[];
  readonly requireDigest?: readonly string[];
}

/** `lading load`: loads an archive, and prints the images in docker's words. */
export async function load(options: LoadCommandOptions, { signal }: CommandContext): Promise<number> {
  const { input, image } = inputChoice(options.input);
  const keys = await readKeys(options.key ?? []);
  const source = openInput(input);
  const store = await openStore(options, 'write');
  const loading = loadImages(store, source, {
    platforms: options.platform ?? [],
    referrers: options.referrers,
    missingPlatforms: options.allowMissing ? 'skip' : 'fail',
    onConflict: options.onConflict,
    ...(image !== undefined && { image }),
    ...(options.name !== undefined && { name: options.name }),
    strict: options.strict ?? false,
    keys,
    digests: options.requireDigest ?? [],
    signal,
  });
  const report = await loading.catch((error: unknown) => {
    throw hintAllowMissing(error, options.allowMissing);
  });
  warn(report.warnings, options);
  if (options.json) await printReport('load', report);
  else await printLines([...report.moved.flatMap(movedLines), ...new Set(report.images.map(loadedLine))]);
  return report.incomplete ? INCOMPLETE : 0;
}

/** The image that had the name stays in the store; a list shows it without the name. */
function movedLines({ name, from }: NameMove): readonly string[] {
  return from === undefined ? [] : [`Moved name: ${parseReference(name).familiar()} (before: ${from})`];
}

function loadedLine({ name, digest }: ImageReport): string {
  return name === undefined ? `Loaded image ID: ${digest}` : `Loaded image: ${parseReference(name).familiar()}`;
}
