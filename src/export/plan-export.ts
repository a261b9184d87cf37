import { Documents } from '../content/documents.js';
import { throwIfAborted } from '../model/aborted.js';
import { totalBytes } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import { parseDigest, type Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import type { Platform } from '../model/platform.js';
import { check, listOf, oneOf, optionsOf, TEXT } from '../model/rules.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { imageReportOf } from '../survey/image-report.js';
import { judgePlatforms, type MissingPlatforms } from '../survey/judge-platforms.js';
import { CHOOSING_RULES, NAMES } from '../survey/option-rules.js';
import { labelOfRecord, type ImageReport, type Warning } from '../survey/reports.js';
import { surveyImages, type ReferrersOf, type Survey } from '../survey/survey-images.js';
import { chooseRoots, type ChosenRoot, type IndexPolicy } from './choose-roots.js';
import { contentsOf, metadataOf, type PlannedEntry } from './lay-out-archive.js';
import { joinSurveys, partTargets, subjectsAmong, surveyCompanions } from './export-companions.js';
import { manifestJsonOf } from './manifest-json.js';
import { layOutWithout, type ThinPlan } from './thin-archive.js';

/** What to export of the images, and how. */
export interface ExportOptions {
  /** Platforms to pack, as texts or OCI objects; none: all that are complete. */
  readonly platforms?: readonly (string | Platform)[];
  /** Default `auto`. */
  readonly index?: IndexPolicy;
  readonly referrers?: ReferrerPolicy;
  readonly missingPlatforms?: MissingPlatforms;
  /**
   * Digests of layers to leave out, since the receiver has them. If an image needs one of them, the archive is a thin
   * one, which only Lading reads. A digest that is no layer of the images is ignored: documents always come along.
   */
  readonly excludeBlobs?: readonly string[];
  /** File names of the archives that have these layers, for the message of a load that misses one. */
  readonly baseNames?: readonly string[];
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** An archive that is planned to its last byte, and not written yet. */
export interface ExportPlan {
  /** Bytes of the whole archive. */
  readonly size: number;
  /** A digest of the entries' names, sizes and content: equal for equal archives. */
  readonly digest: Digest;
  readonly entries: readonly PlannedEntry[];
  readonly images: readonly ImageReport[];
  /** Images of which nothing is in it, since nothing requested is complete (`missingPlatforms: 'skip'` only). */
  readonly leftOut: readonly ImageReport[];
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly warnings: readonly Warning[];
  /** True if something that was requested is not in it (`missingPlatforms: 'skip'` only). */
  readonly incomplete: boolean;
  /** What is left out; undefined for an ordinary archive. */
  readonly thin?: ThinPlan;
  readonly hostPlatform: Platform;
}

/** Rules of the options of an export. */
export const EXPORT_RULES = {
  ...CHOOSING_RULES,
  index: oneOf('auto', 'preserve', 'rewrite'),
  excludeBlobs: listOf(TEXT, 'a list of digests'),
  baseNames: listOf(TEXT, 'a list of names'),
} as const;

const ARGUMENTS = { source: SOURCE, names: NAMES, options: optionsOf<ExportOptions>(EXPORT_RULES) };

/**
 * Plans an archive of the named images. Throws every error that can be found before the first byte: ERR_IMAGE_UNKNOWN,
 * ERR_PLATFORM_UNAVAILABLE, ERR_BLOB_MISSING, ERR_PLATFORM_INVALID, ERR_DIGEST_INVALID, and the
 * errors of damaged documents. Holds one small record for each distinct blob.
 */
export async function planExport(
  source: ImageSource,
  names: readonly string[],
  options: ExportOptions = {},
): Promise<ExportPlan> {
  check(ARGUMENTS, { source, names, options });
  throwIfAborted(options.signal, 'the export');
  const left = { digests: new Set((options.excludeBlobs ?? []).map(parseDigest)), from: options.baseNames ?? [] };
  const host = options.hostPlatform ?? hostPlatform();
  const documents = new Documents(source, { limits: limitsOf(options.limits) });
  const request = {
    platforms: parseRequest(options.platforms, host),
    referrers: options.referrers ?? 'follow',
    signal: options.signal,
  };
  const parted = partTargets(await resolveTargets(source, names), request);
  const targets = parted.images;
  const referrersOf = askingOnce(async (subject) => await source.referrersOf(subject));
  const found = await surveyImages(documents, targets, { ...request, referrersOf });
  const judgement = await judgePlatforms(found, targets, options.missingPlatforms ?? 'fail', 'saved');
  const subjects = request.referrers === 'drop' ? new Set<Digest>() : await subjectsAmong(source, parted, referrersOf);
  const choice = await chooseRoots(documents, found, judgement.taken, { policy: options.index ?? 'auto', subjects });
  // Survey again without the images that have nothing to pack, and without referrers of an index that is not packed.
  const cut = request.referrers === 'drop' ? [] : await referrersOfAll(choice.replaced, referrersOf);
  const isWhole = cut.length === 0 && judgement.taken.length === targets.length;
  const survey = isWhole
    ? found
    : await surveyImages(documents, judgement.taken, {
        ...request,
        referrersOf: async (subject) => (choice.replaced.has(subject) ? [] : await referrersOf(subject)),
      });
  const manifestJson = await manifestJsonOf(documents, survey, judgement.taken, host);
  const companions = await surveyCompanions(
    { source, documents },
    { ...parted, images: judgement.taken },
    { survey, choice },
    { ...request, platforms: [], referrersOf },
  );
  await checkListed(source, [...targets, ...companions.records]);
  const own = companions.records.map((target) => ({ target, descriptor: target.descriptor }));
  const all = {
    survey: joinSurveys(survey, companions.survey),
    choice: { ...choice, roots: [...choice.roots, ...own] },
  };
  const metadata = metadataOf(all.survey, all.choice, { manifestJson, referrers: request.referrers });
  const parts = { metadata, blobs: contentsOf(all.survey, all.choice) };
  const laidOut = await layOutWithout({ documents, survey: all.survey }, parts, left);
  return {
    ...laidOut,
    images: [
      ...choice.roots.map(({ target, descriptor }) => imageReportOf(survey, target, descriptor.digest)),
      ...companions.records.map((target) => imageReportOf(companions.survey, target)),
    ],
    leftOut: judgement.leftOut,
    blobs: countOf(laidOut.entries),
    warnings: [
      ...survey.warnings,
      ...judgement.warnings,
      ...choice.roots.flatMap((root) => detachedWarning(root, subjects)),
      ...cut.map((referrer) => droppedWarning(found, referrer)),
      ...companions.warnings,
    ],
    incomplete: judgement.incomplete,
    hostPlatform: host,
  };
}

async function resolveTargets(source: ImageSource, names: readonly string[]): Promise<readonly ImageRecord[]> {
  if (names.length === 0) throw new LadingError('ERR_OPTION_INVALID', 'name at least one image to save');
  const targets = new Map<string, ImageRecord>();
  for (const record of await source.resolve(names)) {
    targets.set(`${record.name} ${record.tag} ${record.descriptor.digest}`, record);
  }
  return [...targets.values()];
}

/** Asks for the referrers of each subject once, so that one plan never counts on two answers. */
function askingOnce(referrersOf: ReferrersOf): ReferrersOf {
  const answers = new Map<Digest, ReturnType<ReferrersOf>>();
  return async (subject) => {
    const answer = answers.get(subject) ?? referrersOf(subject);
    answers.set(subject, answer);
    return await answer;
  };
}

/** A referrer, and the digest that it refers to. */
interface Referrer {
  readonly descriptor: Descriptor;
  readonly subject: Digest;
}

async function referrersOfAll(subjects: ReadonlySet<Digest>, referrersOf: ReferrersOf): Promise<readonly Referrer[]> {
  const found: Referrer[] = [];
  for (const subject of subjects) {
    for (const descriptor of await referrersOf(subject)) found.push({ descriptor, subject });
  }
  return found;
}

/** Without this, an image that was removed during the survey would look like one whose platforms are missing. */
async function checkListed(source: ImageSource, targets: readonly ImageRecord[]): Promise<void> {
  try {
    await source.resolve(targets.map(({ descriptor }) => descriptor.digest));
  } catch (error) {
    if (!(error instanceof LadingError) || error.code !== 'ERR_IMAGE_UNKNOWN') throw error;
    const gone = targets.find(({ descriptor }) => descriptor.digest === error.details['image']);
    const image = gone?.name ?? String(error.details['image']);
    throw new LadingError('ERR_IMAGE_UNKNOWN', `${quote(image)} was removed meanwhile`, { details: { image } });
  }
}

/** No signature over the old root can hold for a new one. */
function detachedWarning(
  { target, descriptor: { digest } }: ChosenRoot,
  subjects: ReadonlySet<Digest>,
): readonly Warning[] {
  const old = target.descriptor.digest;
  if (digest === old || !subjects.has(old)) return [];
  const image = labelOfRecord(target);
  const message = `${image} gets the new root ${digest}: what was signed of ${old} does not hold for it`;
  return [{ code: 'WARN_SIGNATURE_DETACHED', message, image }];
}

function droppedWarning({ nodes }: Survey, { descriptor, subject }: Referrer): Warning {
  const message = `${descriptor.digest} was left out: it refers to an index that is not in the archive`;
  const target = nodes.find(({ node }) => node.descriptor.digest === subject)?.node.target;
  return { code: 'WARN_REFERRER_DROPPED', message, ...(target && { image: labelOfRecord(target) }) };
}

function countOf(entries: readonly PlannedEntry[]): ExportPlan['blobs'] {
  const blobs = entries.filter(({ name, type }) => type === 'file' && name.startsWith('blobs/'));
  return { count: blobs.length, bytes: totalBytes(blobs.map(({ size }) => size)) };
}
