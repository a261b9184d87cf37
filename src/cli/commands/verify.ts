import { quarantineDamaged } from '../../edit/quarantine-damaged.js';
import type { Digest } from '../../model/digest.js';
import { LadingError } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import type { ImageReport } from '../../survey/reports.js';
import { verifyArchive } from '../../verify/verify-archive.js';
import { verifyImages, type VerifyReport } from '../../verify/verify-images.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { formatBytes, printLines, printReport, warn } from '../console.js';
import { DAMAGED } from '../exit-status.js';
import { hintArchive } from '../hints.js';

export interface VerifyCommandOptions extends CommonOptions {
  readonly archive?: string;
  readonly deep?: boolean;
  readonly strict?: boolean;
  readonly dryRun?: boolean;
}

/** The damaged blobs that were moved away, or why they were not. */
interface Healing {
  readonly quarantined: readonly Digest[];
  readonly notQuarantined?: { readonly code: string; readonly message: string };
}

/** `lading verify`: hashes every blob, reports what is damaged or missing, and moves damaged blobs of a store away. */
export async function verify(
  images: readonly string[],
  options: VerifyCommandOptions,
  { signal }: CommandContext,
): Promise<number> {
  const report = await verifyWhat(images, options, signal);
  warn(report.warnings, options);
  const healing = options.archive === undefined && options.dryRun !== true ? await heal(report, options) : undefined;
  if (options.json) await printReport('verify', { ...report, ...healing });
  else await printLines([...linesOf(report), ...healingLines(healing)]);
  return report.problems.length > 0 ? DAMAGED : 0;
}

async function verifyWhat(
  images: readonly string[],
  options: VerifyCommandOptions,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const { archive, deep = false, strict = false } = options;
  const how = { deep, strict, signal };
  if (archive === undefined) {
    return await verifyImages(await openStore(options, 'read'), images, how).catch((error: unknown) => {
      throw hintArchive(error);
    });
  }
  if (images.length > 0)
    throw new LadingError('ERR_OPTION_INVALID', 'verify --archive checks a whole archive; do not name an image');
  return await verifyArchive(openInput(archive), how);
}

/** Opens the store for writing only if there is something to move. */
async function heal({ problems }: VerifyReport, options: VerifyCommandOptions): Promise<Healing> {
  const digests = problems.flatMap(({ digest }) => digest ?? []);
  if (digests.length === 0) return { quarantined: [] };
  try {
    return { quarantined: await quarantineDamaged(await openStore(options, 'write'), digests) };
  } catch (error) {
    if (!(error instanceof LadingError) || error.category !== 'storage') throw error;
    return { quarantined: [], notQuarantined: { code: error.code, message: error.message } };
  }
}

function healingLines({ quarantined, notQuarantined }: Healing = { quarantined: [] }): readonly string[] {
  return [
    ...quarantined.map((digest) => `moved to the trash: ${digest}; load its image again`),
    ...(notQuarantined ? [`not moved: ${notQuarantined.message} [${notQuarantined.code}]`] : []),
  ];
}

function linesOf({ images, blobs, problems }: VerifyReport): readonly string[] {
  return [
    ...images.flatMap(imageLines),
    ...problems.map(({ code, message }) => `damaged: ${message} [${code}]`),
    `${blobs.count} blobs, ${formatBytes(blobs.bytes)} hashed, ${problems.length === 0 ? 'no damage' : `${problems.length} damaged`}`,
  ];
}

function imageLines({ name, digest, platforms }: ImageReport): readonly string[] {
  const label = name === undefined ? digest : parseReference(name).familiar();
  return platforms.map(({ platform, state }) => `${label} ${platform}: ${state}`);
}
