import type { Documents } from '../content/documents.js';
import { companionsAmong, companionSubject, partCompanions, type Parted } from '../model/companion-tag.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PlatformRequest } from '../model/platform-set.js';
import { parseReference } from '../model/reference.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { ImageSource } from '../stores/store.js';
import { surveyImages, type Survey, type SurveyOptions } from '../survey/survey-images.js';
import type { RootChoice } from './choose-roots.js';

/** What decides which companions go along. */
export interface CompanionOptions {
  readonly platforms: readonly PlatformRequest[];
  readonly referrers: ReferrerPolicy;
}

/**
 * The images to save, and what could go along with them: signatures and the like of the same repositories, by names
 * like `sha256-….sig`. Those that were asked for are images like others, unless only a part is saved.
 */
export async function partTargets(
  source: ImageSource,
  targets: readonly ImageRecord[],
  { platforms, referrers }: CompanionOptions,
): Promise<Parted> {
  const isPart = platforms.length > 0 || referrers === 'drop';
  const { images } = isPart ? partCompanions(targets) : { images: targets };
  if (referrers === 'drop') return { images, companions: [] };
  const asked = new Set(images.map(({ name }) => name));
  const repositories = new Set(images.filter((image) => companionSubject(image) === undefined).flatMap(repositoryOf));
  const companions = new Map<string, ImageRecord>();
  for (const repository of repositories) {
    for (const record of await recordsIn(source, repository)) {
      const { name } = record;
      if (name !== undefined && !asked.has(name) && companionSubject(record)) companions.set(name, record);
    }
  }
  return { images, companions: [...companions.values()] };
}

/** What goes along with the images, and what does not since its index is not packed. */
export interface FoundCompanions {
  readonly records: readonly ImageRecord[];
  readonly survey: Survey;
  readonly cut: readonly ImageRecord[];
}

/** Surveys the companions of what is packed of the images. Those that are not complete are left out. */
export async function surveyCompanions(
  documents: Documents,
  { images, companions }: Parted,
  { survey, choice }: { readonly survey: Survey; readonly choice: RootChoice },
  options: SurveyOptions,
): Promise<FoundCompanions> {
  const packed = companionsOf(companions, images, packedDigests(survey, choice));
  const found = await surveyImages(documents, packed, options);
  const records = packed.filter((record) => isComplete(found, record));
  const cut = companionsOf(companions, images, choice.replaced).filter((record) => !packed.includes(record));
  const isWhole = records.length === packed.length;
  return { records, survey: isWhole ? found : await surveyImages(documents, records, options), cut };
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

/** The companions that belong to one of the digests, in a repository of the images. */
function companionsOf(
  companions: readonly ImageRecord[],
  images: readonly ImageRecord[],
  digests: ReadonlySet<Digest>,
): readonly ImageRecord[] {
  const repositories = new Set(images.flatMap(repositoryOf));
  return companionsAmong(
    companions.filter((one) => repositoryOf(one).some((repository) => repositories.has(repository))),
    digests,
  );
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
