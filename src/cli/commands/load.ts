import { loadImages } from '../../load/load-images.js';
import { LadingError } from '../../model/errors.js';
import type { NameMove, OnConflict } from '../../model/image-list.js';
import { parseReference } from '../../model/reference.js';
import type { ReferrerPolicy } from '../../model/wanted-blobs.js';
import type { OciLayoutStore } from '../../stores/layout/oci-layout-store.js';
import type { ImageReport } from '../../survey/reports.js';
import type { UnpackReport } from '../../unpack/report-shapes.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printLines, printReport, warn } from '../console.js';
import { INCOMPLETE } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { inputChoice } from '../input-choice.js';
import { readTrustOrDefault, type TrustFiles } from '../trust-files.js';

export interface LoadCommandOptions extends CommonOptions, TrustFiles {
  readonly input?: string;
  readonly platform?: readonly string[];
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
  readonly strict?: boolean;
  readonly onConflict: OnConflict;
  readonly unpack?: string;
  readonly name?: string;
  readonly image?: readonly string[];
  readonly policyReport?: boolean;
  readonly requireDigest?: readonly string[];
}

/** `lading load`: loads an archive, and prints the images in docker's words. */
export async function load(options: LoadCommandOptions, { signal }: CommandContext): Promise<number> {
  const { input, image } = inputChoice(options.input);
  const policy = await readTrustOrDefault(options);
  // What can be wrong with the target is told before anything is loaded.
  if (options.unpack !== undefined) await checkUnpack(options.unpack, options.platform);
  const source = openInput(input);
  const store = await openStore(options, 'write');
  const loading = loadImages(store, source, {
    platforms: options.platform ?? [],
    referrers: options.referrers,
    missingPlatforms: options.allowMissing ? 'skip' : 'fail',
    onConflict: options.onConflict,
    images: [...(image === undefined ? [] : [image]), ...(options.image ?? [])],
    ...(options.name !== undefined && { name: options.name }),
    strict: options.strict ?? false,
    ...(policy && { policy }),
    policyReport: options.policyReport ?? false,
    digests: options.requireDigest ?? [],
    signal,
  });
  const report = await loading.catch((error: unknown) => {
    throw hintAllowMissing(error, options.allowMissing);
  });
  warn(report.warnings, options);
  if (!options.json) await printLines([...report.moved.flatMap(movedLines), ...new Set(report.images.map(loadedLine))]);
  // The names are visible now, whatever becomes of the directory.
  const unpacked = options.unpack === undefined ? undefined : await unpackLoaded(store, report.images, options, signal);
  if (options.json) await printReport('load', { ...report, ...(unpacked && { unpacked }) });
  return report.incomplete ? INCOMPLETE : 0;
}

/** Throws for a target that is taken, and for more than one platform. */
async function checkUnpack(directory: string, platforms: readonly string[] = []): Promise<void> {
  if (directory === '-')
    throw wrong('load --unpack makes a directory; for a tar, load and then use lading unpack IMAGE -');
  if (platforms.length > 1) throw wrong('load --unpack takes one platform; name it with --platform, or none for local');
  const { freeTarget } = await import('../../stores/rootfs/rootfs-target.js');
  await freeTarget(directory);
}

async function unpackLoaded(
  store: OciLayoutStore,
  images: readonly ImageReport[],
  { unpack = '', platform = [], ...output }: LoadCommandOptions,
  signal: AbortSignal,
): Promise<UnpackReport> {
  const [first, ...others] = images;
  if (first === undefined || others.some(({ digest }) => digest !== first.digest)) {
    throw wrong(`${images.length} images were loaded and none was unpacked; choose one with --image NAME`);
  }
  const { unpackImage } = await import('../../unpack/unpack-image.js');
  const report = await unpackImage(store, first.name ?? first.digest, unpack, {
    ...(platform[0] !== undefined && { platform: platform[0] }),
    signal,
  });
  warn(report.warnings, output);
  return report;
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: '--unpack' } });
}

/** The image that had the name stays in the store; a list shows it without the name. */
function movedLines({ name, from }: NameMove): readonly string[] {
  return from === undefined ? [] : [`Moved name: ${parseReference(name).familiar()} (before: ${from})`];
}

function loadedLine({ name, digest }: ImageReport): string {
  return name === undefined ? `Loaded image ID: ${digest}` : `Loaded image: ${parseReference(name).familiar()}`;
}
