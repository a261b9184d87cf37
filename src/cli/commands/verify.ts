import { LadingError } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import type { ImageReport } from '../../reports.js';
import { verifyArchive } from '../../verify-archive.js';
import { verifyImages, type VerifyReport } from '../../verify-images.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { formatBytes, printLines, printReport, warn } from '../console.js';
import { DAMAGED } from '../exit-status.js';

export interface VerifyCommandOptions extends CommonOptions {
  readonly archive?: string;
}

/** `lading verify`: hashes everything, and tells what is damaged and what is missing. */
export async function verify(
  images: readonly string[],
  options: VerifyCommandOptions,
  { signal }: CommandContext,
): Promise<number> {
  const report = await verifyWhat(images, options, signal);
  warn(report.warnings, options);
  if (options.json) await printReport(report);
  else await printLines(linesOf(report));
  return report.problems.length > 0 ? DAMAGED : 0;
}

async function verifyWhat(
  images: readonly string[],
  options: VerifyCommandOptions,
  signal: AbortSignal,
): Promise<VerifyReport> {
  if (options.archive === undefined) return await verifyImages(await openStore(options, 'read'), images, { signal });
  if (images.length > 0)
    throw new LadingError('ERR_OPTION_INVALID', 'verify --archive judges a whole archive; name no image');
  return await verifyArchive(openInput(options.archive), { signal });
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
