import { loadImages } from '../../load/load-images.js';
import { LadingError } from '../../model/errors.js';
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
import { readTrustOrDefault, type TrustFiles } from '../trust-files.js';
import type { UnpackLoaded } from './load-unpack.js';
import type { UnpackChoices } from './unpack-choices.js';

export interface LoadCommandOptions extends CommonOptions, TrustFiles, UnpackChoices {
  readonly input?: string;
  readonly platform?: readonly string[];
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
  readonly onConflict: OnConflict;
  readonly unpack?: string;
  readonly name?: string;
  readonly image?: readonly string[];
  readonly policyReport?: boolean;
  readonly verifyBase?: boolean;
  readonly requireDigest?: readonly string[];
}

/** `lading load`: loads an archive, and prints the images in docker's words. */
export async function load(options: LoadCommandOptions, { signal, progress }: CommandContext): Promise<number> {
  const { input, image } = inputChoice(options.input);
  const policy = await readTrustOrDefault(options);
  const unpackLoaded = await wishedUnpack(options);
  const source = openInput(input);
  const store = await openStore(options, 'write');
  const onProgress = await progress.listener();
  const loading = loadImages(store, source, {
    platforms: options.platform ?? [],
    referrers: options.referrers,
    missingPlatforms: options.allowMissing ? 'skip' : 'fail',
    onConflict: options.onConflict,
    images: [...(image === undefined ? [] : [image]), ...(options.image ?? [])],
    ...(options.name !== undefined && { name: options.name }),
    strict: options.strict ?? false,
    verifyBase: options.verifyBase ?? false,
    ...(policy && { policy }),
    policyReport: options.policyReport ?? false,
    digests: options.requireDigest ?? [],
    ...(onProgress && { onProgress }),
    signal,
  });
  const report = await loading.catch((error: unknown) => {
    throw hintAllowMissing(error, options.allowMissing);
  });
  warn(report.warnings, options);
  if (!options.json) await printLines([...report.moved.flatMap(movedLines), ...new Set(report.images.map(loadedLine))]);
  // The names are visible now, whatever becomes of the directory.
  const unpacked = await unpackLoaded?.(store, report.images, signal);
  if (unpacked !== undefined) warn(unpacked.warnings, options);
  const whole = { ...report, ...(unpacked && { unpacked }) };
  progress.report('load', whole);
  if (options.json) await printReport('load', whole);
  return report.incomplete ? INCOMPLETE : 0;
}

/** What makes the directory, if one is wished. What can be wrong with it is told before anything is loaded. */
async function wishedUnpack({ unpack, ...options }: LoadCommandOptions): Promise<UnpackLoaded | undefined> {
  if (unpack === undefined) return refuseAlone(options);
  return await (await import('./load-unpack.js')).prepareUnpack({ ...options, unpack });
}

/** Options of a directory mean nothing without one. */
function refuseAlone({ owner, setid, sync, bundle, maxNames }: LoadCommandOptions): undefined {
  const given = { '--owner': owner, '--no-setid': setid === false || undefined, '--sync': sync, '--bundle': bundle };
  const all = Object.entries({ ...given, '--max-names': maxNames });
  const [option] = all.find(([, value]) => value !== undefined) ?? [];
  if (option === undefined) return undefined;
  throw new LadingError('ERR_OPTION_INVALID', `${option} goes with --unpack DIR`, { details: { option } });
}

/** The image that had the name stays in the store; a list shows it without the name. */
function movedLines({ name, from }: NameMove): readonly string[] {
  return from === undefined ? [] : [`Moved name: ${parseReference(name).familiar()} (before: ${from})`];
}

function loadedLine({ name, digest, companionOf }: ImageReport): string {
  if (name !== undefined && companionOf !== undefined) return `Loaded companion: ${parseReference(name).familiar()}`;
  return name === undefined ? `Loaded image ID: ${digest}` : `Loaded image: ${parseReference(name).familiar()}`;
}
