import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { mapInTurns } from '../flow/in-turns.js';
import { throwIfAborted } from '../model/aborted.js';
import { companionSubject, partCompanions, type Parted } from '../model/companion-tag.js';
import { decorated } from '../model/decorated.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { publishRecords, subjectOf, type ImageRecord, type NameMove, type OnConflict } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import type { PlatformRequest } from '../model/platform-set.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { ArchiveContents } from '../stages/records.js';
import { publishNames } from '../stores/in-session.js';
import { referrersIn } from '../stores/listed-images.js';
import type { DestinationSession, ImageDestination } from '../stores/store.js';
import { checkConfigs } from '../survey/check-configs.js';
import { imageReportOf } from '../survey/image-report.js';
import { judgePlatforms, type MissingPlatforms } from '../survey/judge-platforms.js';
import { labelOfRecord, type ImageReport, type Warning } from '../survey/reports.js';
import { surveyImages, unlistedReferrers } from '../survey/survey-images.js';
import { Unversioned } from '../survey/unversioned.js';
import type { TrustReport } from '../trust/trust-report.js';
import { demandNames } from '../trust/judge-name.js';
import { archiveTargets } from './archive-targets.js';
import { askBeforeCommit, type BeforeCommit } from './before-commit.js';
import { chooseImages, type ChoiceOptions } from './choose-images.js';
import { companionsOf } from './companions.js';
import { hashPresent, judgeLoad, type TrustDemands } from './judge-load.js';
import { loadedRecords } from './loaded-records.js';
import { tagWarnings } from './tag-warning.js';
import { judgeBase } from './thin-base.js';

/** How to end a load. */
export interface CloseOptions extends ChoiceOptions, TrustDemands {
  readonly platforms: readonly PlatformRequest[];
  readonly referrers: ReferrerPolicy;
  readonly missingPlatforms: MissingPlatforms;
  readonly onConflict: OnConflict;
  /** Whether to refuse a name that cannot be used, and a config whose platform differs from its descriptor's. */
  readonly strict: boolean;
  readonly beforeCommit?: BeforeCommit | undefined;
  /** Whether to hash the layers that a thin archive counts on. */
  readonly verifiesBase?: boolean;
  readonly limits: Limits;
  readonly signal?: AbortSignal | undefined;
}

/** True if a filter may still drop blobs that the documents list: then not every wanted blob is needed in the end. */
export function isFiltered({
  platforms,
  referrers,
  onConflict,
  choice,
}: Pick<CloseOptions, 'platforms' | 'referrers' | 'onConflict' | 'choice'>): boolean {
  return platforms.length > 0 || choice !== undefined || referrers === 'drop' || onConflict === 'keep';
}

/** What comes with an image that was chosen, beside its companions. */
const NOTHING = { opaque: [], referrers: [], asked: [] } as const;

/** The result of a load. */
export interface ClosedArchive {
  readonly images: readonly ImageReport[];
  readonly leftOut: readonly ImageReport[];
  /** Names that are new, or mean another image than before. */
  readonly moved: readonly NameMove[];
  readonly warnings: readonly Warning[];
  /** Signatures and other referrers that came along, beside those that an index lists. */
  readonly referrers: number;
  readonly incomplete: boolean;
  /** The signatures that were found, if any were demanded. */
  readonly trust?: readonly TrustReport[];
  /** Every blob that the loaded images need, with its bytes. */
  readonly needed: ReadonlyMap<Digest, number>;
}

/**
 * Ends a load: finds the archive's images, checks that everything they need is here, and publishes all names at once,
 * with what is kept of each image. Changes nothing visible before that last step.
 */
export async function closeArchive(
  destination: ImageDestination,
  session: DestinationSession,
  contents: ArchiveContents,
  options: CloseOptions,
): Promise<ClosedArchive> {
  const provider = refusingDamaged(session, contents.damaged);
  const { images: all, opaque, referrers, warnings } = await archiveTargets(session, contents, options);
  const { images, companions } = partChosen(all, chooseImages(all, options), options);
  const kept = await keptByStore(destination, [...images, ...companions, ...opaque], options.onConflict);
  const loaded = images.filter((image) => !kept.has(image));
  const { platforms, referrers: follow, limits, strict, signal } = options;
  const unversioned = new Unversioned({ strict });
  const documents = new Documents(provider, { limits, onUnversioned: unversioned.note });
  const request = {
    platforms,
    referrers: follow,
    signal,
    foreignLayers: 'keep',
    referrersOf: referrersIn(referrers),
  } as const;
  const survey = await surveyImages(documents, loaded, request);
  const unmet = await judgeBase(contents, { survey, provider, limits, isFiltered: isFiltered(options) });
  if (unmet !== undefined && options.missingPlatforms === 'fail') throw unmet;
  const judgement = await judgePlatforms(survey, loaded, options.missingPlatforms, 'loaded').catch((error: unknown) => {
    throw unmet ?? error;
  });
  const isWhole = judgement.taken.length === loaded.length;
  const final = isWhole ? survey : await surveyImages(documents, judgement.taken, request);
  const mismatches = await checkConfigs(provider, final.nodes, { limits, strict });
  const versions = unversioned.among(final.nodes);
  const beside = await companionsOf(
    documents,
    final,
    { ...(options.choice === undefined ? { opaque, referrers, asked: companions } : NOTHING), companions, kept },
    request,
  );
  if (kept.size + judgement.taken.length + beside.records.length === 0) throw withoutImages(opaque);
  const needed = new Map([...final.needs, ...beside.needs].map(({ descriptor: { digest, size } }) => [digest, size]));
  const additions = [
    ...loadedRecords(final, [...judgement.taken, ...unlistedReferrers(final).map(asRecord)], follow),
    ...beside.records,
  ];
  // Signatures that are not kept are checked all the same.
  const isAllSeen = follow !== 'drop' || options.policy === undefined;
  const seen = isAllSeen ? final : await surveyImages(documents, judgement.taken, { ...request, referrers: 'follow' });
  const trust = await judgeLoad(
    {
      destination,
      provider,
      limits,
      survey: { ...seen, nodes: [...seen.nodes, ...beside.nodes] },
      taken: [...judgement.taken, ...beside.named],
      records: [...all, ...referrers],
      listed: new Set(contents.index?.manifests.map(({ digest }) => digest)),
      present: [...needed.keys()].filter((digest) => !contents.stored.has(digest)),
      signal,
    },
    options,
  );
  const base = [...needed.keys()].filter((digest) => contents.thin?.base.has(digest) === true);
  if (options.verifiesBase === true) await hashPresent({ provider, present: base, signal });
  const reports = await mapInTurns(judgement.taken, (target) => imageReportOf(final, target));
  const needs = [...final.needs, ...beside.needs].map(({ descriptor }) => descriptor);
  await askBeforeCommit(
    options.beforeCommit,
    async () => ({
      provider,
      limits,
      survey: final,
      taken: judgement.taken,
      companions: beside.records,
      needs,
      holders: await destination.holders(additions.flatMap(({ name }) => name ?? [])),
      trust: trust.reports ?? [],
    }),
    signal,
  );
  throwIfAborted(signal, 'the load');
  let listed: readonly ImageRecord[] = [];
  const moved = await publishNames(session, (records) => {
    if (!options.policyReport) demandNames(options.policy, records, additions, options.judgedName);
    listed = publishRecords(records, additions, options.onConflict);
    return listed;
  });
  return {
    images: [...reports, ...beside.images],
    leftOut: judgement.leftOut,
    referrers: additions.filter((one) => (subjectOf(one) ?? companionSubject(one)) !== undefined).length,
    moved,
    warnings: [
      ...warnings,
      ...[...kept].map(keptWarning),
      ...final.warnings,
      ...judgement.warnings,
      ...mismatches,
      ...versions,
      ...beside.warnings,
      ...trust.warnings,
      ...tagWarnings(judgement.taken, listed),
    ],
    incomplete: judgement.incomplete,
    needed,
    ...(trust.reports && { trust: trust.reports }),
  };
}

/** A load of a part takes companions only with their images; a load of everything takes them as images like others. */
function partChosen(all: readonly ImageRecord[], chosen: readonly ImageRecord[], options: CloseOptions): Parted {
  const isPart = options.platforms.length > 0 || options.referrers === 'drop' || options.choice !== undefined;
  if (!isPart) return { images: chosen, companions: [] };
  const { images, companions } = partCompanions(chosen);
  if (options.referrers === 'drop') return { images, companions: [] };
  const own = new Set(images);
  const others = all.filter((record) => companionSubject(record) !== undefined && !own.has(record));
  return { images, companions: options.choice === undefined ? companions : others };
}

function asRecord(descriptor: Descriptor): ImageRecord {
  return { descriptor };
}

function withoutImages(opaque: readonly ImageRecord[]): LadingError {
  const [other] = opaque;
  const found = other === undefined ? '' : `, only content of type ${quote(other.descriptor.mediaType)}`;
  return new LadingError('ERR_ARCHIVE_FORMAT', `the archive contains no image${found}; nothing was loaded`);
}

/** Damage in a blob that an image needs is always an error, also where a filter would count the blob as missing. */
function refusingDamaged(session: DestinationSession, damaged: ArchiveContents['damaged']): ContentProvider {
  return decorated<ContentProvider>(session, {
    stat: async (digest, kind) => (await session.stat(digest, kind)) ?? damaged.get(digest),
  });
}

/** The images to leave out, because the store keeps another one under that name. */
async function keptByStore(
  destination: ImageDestination,
  images: readonly ImageRecord[],
  onConflict: OnConflict,
): Promise<ReadonlySet<ImageRecord>> {
  const names = images.flatMap(({ name }) => name ?? []);
  const holders = await destination.holders(names);
  const conflicts = images.filter(
    ({ name, descriptor }) => name !== undefined && (holders.get(name) ?? descriptor.digest) !== descriptor.digest,
  );
  const [first] = conflicts;
  if (first !== undefined && onConflict === 'fail') {
    const message = `${quote(String(first.name))} already names ${holders.get(String(first.name))} in the store`;
    throw new LadingError('ERR_NAME_CONFLICT', message, { details: { names: conflicts.map(({ name }) => name) } });
  }
  return new Set(onConflict === 'keep' ? conflicts : []);
}

function keptWarning(record: ImageRecord): Warning {
  const message = `${quote(String(record.name))} names another image in the store, which was kept`;
  return { code: 'WARN_NAME_KEPT', message, image: labelOfRecord(record) };
}
