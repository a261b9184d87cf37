import { quarantineDamaged } from '../../edit/quarantine-damaged.js';
import type { Digest } from '../../model/digest.js';
import { LadingError } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import type { ImageReport } from '../../survey/reports.js';
import type { Problem } from '../../verify/check-images.js';
import type { Unmet } from '../../verify/demands.js';
import { verifyTrust } from '../../trust/verify-trust.js';
import { verifyArchive, type VerifyArchiveOptions } from '../../verify/verify-archive.js';
import { verifyImages, type VerifyReport } from '../../verify/verify-images.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printLines, printReport, sizeFormat, warn, type SizeFormat } from '../console.js';
import { basesOf, oneOfStdin } from '../thin-options.js';
import { DAMAGED, INCOMPLETE, MISSING, UNREADABLE, UNTRUSTED } from '../exit-status.js';
import { hintArchive } from '../hints.js';
import { inputChoice } from '../input-choice.js';
import { readTrust, type TrustFiles } from '../trust-files.js';
import { trustLines } from '../trust-lines.js';

export interface VerifyCommandOptions extends CommonOptions, TrustFiles {
  readonly archive?: string;
  readonly deep?: boolean;
  readonly strict?: boolean;
  readonly dryRun?: boolean;
  readonly complete?: boolean;
  readonly base?: readonly string[];
  readonly platform?: readonly string[];
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
  { signal, progress }: CommandContext,
): Promise<number> {
  const policy = await readTrust(options);
  const onProgress = await progress.listener();
  const report = await verifyWhat(images, options, {
    signal,
    ...(onProgress && { onProgress }),
    ...(policy && { policy }),
  });
  const trust =
    report.trust ?? (policy && (await verifyTrust(await openStore(options, 'read'), images, { policy, signal }))) ?? [];
  warn(report.warnings, options);
  const healing = options.archive === undefined && options.dryRun !== true ? await heal(report, options) : undefined;
  const whole = { ...report, ...healing, ...(policy && { trust }) };
  progress.report('verify', whole);
  if (options.json) await printReport('verify', whole);
  else await printLines([...linesOf(report, sizeFormat(options)), ...healingLines(healing), ...trustLines(trust)]);
  if (report.problems.some(({ unreadable }) => unreadable === undefined)) return DAMAGED;
  if (report.problems.length > 0) return UNREADABLE;
  if (trust.some(({ decision }) => decision === 'denied')) return UNTRUSTED;
  if (report.unmet.length > 0) return MISSING;
  return report.thin?.judged === false ? INCOMPLETE : 0;
}

async function verifyWhat(
  images: readonly string[],
  options: VerifyCommandOptions,
  { policy, ...watched }: Pick<VerifyArchiveOptions, 'signal' | 'onProgress' | 'policy'>,
): Promise<VerifyReport> {
  const { archive, deep = false, strict = false, complete = false, platform: platforms = [] } = options;
  const how = { deep, strict, complete, platforms, ...watched };
  if (archive === undefined) {
    if (options.base !== undefined) throw wrong('--base goes with --archive: it has what a thin archive leaves out');
    return await verifyImages(await openStore(options, 'read'), images, how).catch((error: unknown) => {
      throw hintArchive(error);
    });
  }
  if (images.length > 0) throw wrong('verify --archive takes no names; one image is --archive FILE:TAG');
  const { input, image } = inputChoice(archive);
  oneOfStdin([input, ...(options.base ?? [])]);
  return await verifyArchive(openInput(input), {
    ...how,
    ...(policy && { policy }),
    bases: await basesOf(options.base),
    images: image === undefined ? [] : [image],
  });
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}

/** Opens the store for writing only if there is something to move. */
async function heal({ problems }: VerifyReport, options: VerifyCommandOptions): Promise<Healing> {
  const digests = problems.flatMap((problem) => (wordOf(problem) === 'damaged' ? (problem.digest ?? []) : []));
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

function linesOf({ images, blobs, problems, unmet, thin }: VerifyReport, size: SizeFormat): readonly string[] {
  return [
    ...images.flatMap(imageLines),
    ...problems.map((problem) => `${wordOf(problem)}: ${problem.message} [${problem.code}]`),
    ...unmet.map(unmetLine),
    ...(thin?.judged === false ? [thinLine(thin, size)] : []),
    `${blobs.count} blobs, ${size(blobs.bytes)} hashed, ${verdictOf(problems)}`,
  ];
}

function thinLine({ excluded: { count, bytes } }: NonNullable<VerifyReport['thin']>, size: SizeFormat): string {
  return `not judged: ${count} layers, ${size(bytes)}, that this thin archive leaves out; name what has them with --base`;
}

/** What a problem says of its blob. One that cannot be read is left where it is. */
function wordOf({ code, unreadable }: Problem): 'damaged' | 'missing' | 'unreadable' {
  if (unreadable === true) return 'unreadable';
  return code === 'ERR_BLOB_MISSING' ? 'missing' : 'damaged';
}

function verdictOf(problems: readonly Problem[]): string {
  const count = (word: string): number => problems.filter((problem) => wordOf(problem) === word).length;
  const [damaged, missing, unreadable] = [count('damaged'), count('missing'), count('unreadable')];
  const parts = [
    ...(damaged > 0 || missing > 0 ? [`${damaged} damaged`] : []),
    ...(missing > 0 ? [`${missing} missing since they were damaged`] : []),
    ...(unreadable > 0 ? [`${unreadable} unreadable, left where they are`] : []),
  ];
  return parts.length === 0 ? 'no damage' : parts.join(', ');
}

function unmetLine({ image, platform, state, missing }: Unmet): string {
  if (state === 'absent') return `not whole: ${image} does not list ${platform}`;
  return `not whole: ${image} ${platform}${missing === undefined ? '' : `, ${missing} is missing`}`;
}

function imageLines({ name, digest, platforms }: ImageReport): readonly string[] {
  const label = name === undefined ? digest : parseReference(name).familiar();
  return platforms.map(({ platform, state }) => `${label} ${platform}: ${state}`);
}
