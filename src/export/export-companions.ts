import type { Documents } from '../content/documents.js';
import { companionSubject, partCompanions } from '../model/companion-tag.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
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

/** The images to save, and the companions that were asked for by name. */
export interface PartTargets {
  readonly images: readonly ImageRecord[];
  readonly asked: readonly ImageRecord[];
}

/**
 * Parts what was asked for. Signatures and the like, by names like `sha256-….sig`, are images like others, unless only
 * a part is saved: then they go along with their images.
 */
export function partTargets(targets: readonly ImageRecord[], { platforms, referrers }: CompanionOptions): PartTargets {
  const isPart = platforms.length > 0 || referrers === 'drop';
  const { images, companions } = isPart ? partCompanions(targets) : { images: targets, companions: [] };
  return { images, asked: referrers === 'drop' ? [] : companions };
}

/** The roots of the images that a companion or another referrer speaks of. */
export async function subjectsAmong(
  source: ImageSource,
  parted: PartTargets,
  referrersOf: (subject: Digest) => Promise<readonly Descriptor[]>,
): Promise<ReadonlySet<Digest>> {
  const roots = new Set(parted.images.map(({ descriptor }) => descriptor.digest));
  const companions = await companionsOf(source, parted, roots);
  const subjects = new Set<Digest>(companions.flatMap((companion) => companionSubject(companion) ?? []));
  for (const root of roots) if ((await referrersOf(root)).length > 0) subjects.add(root);
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
  { source, documents }: { readonly source: ImageSource; readonly documents: Documents },
  parted: PartTargets,
  { survey, choice }: { readonly survey: Survey; readonly choice: RootChoice },
  options: SurveyOptions,
): Promise<FoundCompanions> {
  const isFollowing = options.referrers !== 'drop';
  const packed = isFollowing ? await companionsOf(source, parted, packedDigests(survey, choice)) : [];
  const found = await surveyImages(documents, packed, options);
  const records = packed.filter((record) => isComplete(found, record));
  const names = new Set(packed.map(({ name }) => name));
  const gone = isFollowing && choice.replaced.size > 0 ? await companionsOf(source, parted, choice.replaced) : [];
  const cut = gone.filter(({ name }) => !names.has(name));
  const told = new Set([...packed, ...cut].map(({ name }) => name));
  const stray = await strayCompanions(
    documents,
    parted.asked.filter(({ name }) => !told.has(name)),
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

/** The companions of the digests, and theirs: those asked for, and those in the repositories of the images. */
async function companionsOf(
  source: ImageSource,
  { images, asked }: PartTargets,
  digests: ReadonlySet<Digest>,
): Promise<readonly ImageRecord[]> {
  const own = new Set(images.map(({ name }) => name));
  const repositories = new Set(images.filter((image) => companionSubject(image) === undefined).flatMap(repositoryOf));
  const found = new Map<string, ImageRecord>();
  for (let subjects = digests; subjects.size > 0;) {
    const next = asked.filter((record) => subjects.has(companionSubject(record) ?? record.descriptor.digest));
    for (const repository of repositories) next.push(...(await source.companionsOf(repository, subjects)));
    const fresh = next.filter(({ name = '' }) => !own.has(name) && !found.has(name));
    for (const record of fresh) found.set(record.name ?? '', record);
    subjects = new Set(fresh.map(({ descriptor }) => descriptor.digest));
  }
  return [...found.values()].toSorted((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1));
}

function repositoryOf({ name }: ImageRecord): readonly string[] {
  if (name === undefined) return [];
  const { domain, path } = parseReference(name);
  return [domain === '' ? path : `${domain}/${path}`];
}
