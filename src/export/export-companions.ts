import type { Documents } from '../content/documents.js';
import { companionsAmong, companionSubject, partCompanions, type Parted } from '../model/companion-tag.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PlatformRequest } from '../model/platform-set.js';
import { parseReference } from '../model/reference.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { ImageSource } from '../stores/store.js';
import { labelOfRecord, type Warning, type WarningCode } from '../survey/reports.js';
import { strayCompanions } from '../survey/stray-companions.js';
import { surveyImages, type Survey, type SurveyOptions } from '../survey/survey-images.js';
import { WarningList } from '../survey/warning-list.js';
import type { RootChoice } from './choose-roots.js';

/** What decides which companions go along. */
export interface CompanionOptions {
  readonly platforms: readonly PlatformRequest[];
  readonly referrers: ReferrerPolicy;
}

/** The images to save, the companions that could go along, and those of them that were asked for by name. */
export interface PartTargets extends Parted {
  readonly asked: ReadonlySet<ImageRecord>;
}

/**
 * The images to save, and what could go along with them: signatures and the like of the same repositories, by names
 * like `sha256-….sig`. Those that were asked for are images like others, unless only a part is saved.
 */
export async function partTargets(
  source: ImageSource,
  targets: readonly ImageRecord[],
  { platforms, referrers }: CompanionOptions,
): Promise<PartTargets> {
  const isPart = platforms.length > 0 || referrers === 'drop';
  const { images, companions: parted } = isPart ? partCompanions(targets) : { images: targets, companions: [] };
  const asked = new Set(parted);
  if (referrers === 'drop') return { images, companions: [], asked: new Set() };
  const known = new Set([...images, ...parted].map(({ name }) => name));
  const repositories = new Set(images.filter((image) => companionSubject(image) === undefined).flatMap(repositoryOf));
  const companions = [...parted];
  for (const repository of repositories) {
    for (const record of await recordsIn(source, repository)) {
      if (known.has(record.name) || companionSubject(record) === undefined) continue;
      known.add(record.name);
      companions.push(record);
    }
  }
  return { images, companions, asked };
}

/** The roots of the images that a companion or another referrer speaks of. */
export async function subjectsAmong(
  { images, companions }: Parted,
  referrersOf: (subject: Digest) => Promise<readonly Descriptor[]>,
): Promise<ReadonlySet<Digest>> {
  const subjects = new Set<Digest>(companions.flatMap((companion) => companionSubject(companion) ?? []));
  for (const { descriptor } of images)
    if ((await referrersOf(descriptor.digest)).length > 0) subjects.add(descriptor.digest);
  return subjects;
}

/** What goes along with the images, and what does not since its index is not packed. */
export interface FoundCompanions {
  readonly records: readonly ImageRecord[];
  readonly survey: Survey;
  readonly warnings: readonly Warning[];
}

/** Surveys the companions of what is packed of the images. Those that are not complete are left out. */
export async function surveyCompanions(
  documents: Documents,
  parted: PartTargets,
  { survey, choice }: { readonly survey: Survey; readonly choice: RootChoice },
  options: SurveyOptions,
): Promise<FoundCompanions> {
  const packed = companionsOf(parted, packedDigests(survey, choice));
  const found = await surveyImages(documents, packed, options);
  const records = packed.filter((record) => isComplete(found, record));
  const cut = companionsOf(parted, choice.replaced).filter((record) => !packed.includes(record));
  const told = new Set([...packed, ...cut]);
  const stray = await strayCompanions(
    documents,
    [...parted.asked].filter((record) => !told.has(record)),
    parted.images,
  );
  const isWhole = records.length === packed.length;
  const whole = isWhole ? found : await surveyImages(documents, records, options);
  const broken = packed.filter((record) => !records.includes(record));
  return { records, survey: whole, warnings: [...whole.warnings, ...leftOutWarnings({ cut, broken, stray })] };
}

/** Both surveys as one, each blob once. */
export function joinSurveys(images: Survey, companions: Survey): Survey {
  const needed = new Set(images.needs.map(({ descriptor }) => descriptor.digest));
  const more = companions.needs.filter(({ descriptor }) => !needed.has(descriptor.digest));
  return { ...images, needs: [...images.needs, ...more], nodes: [...images.nodes, ...companions.nodes] };
}

function packedDigests({ nodes }: Survey, { keptIndexes }: RootChoice): ReadonlySet<Digest> {
  const packed = nodes.filter(
    ({ node: { kind, descriptor }, completeness }) =>
      completeness.state === 'complete' && (kind !== 'index' || keptIndexes.has(descriptor.digest)),
  );
  return new Set(packed.map(({ node }) => node.descriptor.digest));
}

function isComplete({ nodes }: Survey, target: ImageRecord): boolean {
  return nodes
    .filter(({ node }) => node.target === target && node.descriptor.digest === target.descriptor.digest)
    .every(({ completeness }) => completeness.state === 'complete');
}

function leftOutWarnings({
  cut,
  broken,
  stray,
}: Readonly<Record<'cut' | 'broken' | 'stray', readonly ImageRecord[]>>): readonly Warning[] {
  const list = new WarningList();
  const add = (code: WarningCode, records: readonly ImageRecord[], why: string): void => {
    for (const record of records) {
      const image = labelOfRecord(record);
      list.add(code, () => ({ message: `${image} was left out: ${why}`, image }));
    }
  };
  add('WARN_REFERRER_DROPPED', cut, 'it belongs to an index that is not in the archive');
  add('WARN_REFERRER_DROPPED', stray, 'it belongs to no image that is saved');
  add('WARN_REFERRER_MISSING', broken, 'some of its content is missing');
  return list.warnings;
}

/** The companions that belong to one of the digests, if they were asked for or are in a repository of the images. */
function companionsOf(
  { companions, images, asked }: PartTargets,
  digests: ReadonlySet<Digest>,
): readonly ImageRecord[] {
  const repositories = new Set(images.flatMap(repositoryOf));
  const isMeant = (one: ImageRecord): boolean =>
    asked.has(one) || repositoryOf(one).some((repository) => repositories.has(repository));
  return companionsAmong(companions.filter(isMeant), digests);
}

function repositoryOf({ name }: ImageRecord): readonly string[] {
  if (name === undefined) return [];
  const { domain, path } = parseReference(name);
  return [domain === '' ? path : `${domain}/${path}`];
}

/** Every tag of a repository. A source that knows none has no companions there. */
async function recordsIn(source: ImageSource, repository: string): Promise<readonly ImageRecord[]> {
  try {
    return await source.resolve([repository]);
  } catch (error) {
    if (error instanceof LadingError && error.code === 'ERR_IMAGE_UNKNOWN') return [];
    throw error;
  }
}
