import { setImmediate } from 'node:timers/promises';
import type { ContentProvider } from '../content/content-provider.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { groupBy } from '../model/group-by.js';
import { isImage, type ImageRecord } from '../model/image-list.js';
import { limitsOf } from '../model/limits.js';
import { onceFor } from '../model/once-for.js';
import { compatibleWith, exactly } from '../model/platform-matcher.js';
import type { Platform } from '../model/platform.js';
import { resolveRecords } from '../model/resolve-records.js';
import { check, fields, listOf, OBJECT, optionsOf, PLATFORM, withMethods } from '../model/rules.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { hostPlatform } from '../survey/host-platform.js';
import { NAMES, READING_RULES } from '../survey/option-rules.js';
import type { Warning } from '../survey/reports.js';
import { tolerantSurvey, type ListOptions } from '../survey/tolerant-survey.js';
import { describeManifests, type ManifestDescription } from './describe-manifests.js';
import { DescriptionCache } from './description-cache.js';

/** How to describe images, and for which host. */
export interface DescribeOptions extends ListOptions {
  readonly hostPlatform?: Platform;
  /** Remembers descriptions between calls: of one store, and with the same limits. */
  readonly cache?: DescriptionCache<DescribedRoot>;
}

/** One root of a store with all its names and manifests. */
export interface ImageDescription {
  readonly descriptor: Descriptor;
  /** Full names, sorted; empty for an unnamed image. */
  readonly names: readonly string[];
  /** When each name came to the store, in milliseconds since 1970, as far as known; `''` stands for no name. */
  readonly stored: ReadonlyMap<string, number>;
  readonly manifests: readonly ManifestDescription[];
  /** The complete manifest that the host prefers, else the first complete one. */
  readonly best?: ManifestDescription;
  /** The size in bytes of each blob that is here, by digest. */
  readonly present: ReadonlyMap<Digest, number>;
  readonly warnings: readonly Warning[];
}

/** Microseconds to describe an image of some platforms, and one that is remembered (docs/performance.md). */
const NEW_WORK = 650;
const KNOWN_WORK = 65;

/** Microseconds of describing before other work of the process gets its turn. */
const WORK_PER_TURN = 10_000;

const ARGUMENTS = {
  store: STORE,
  texts: NAMES,
  options: optionsOf<DescribeOptions>({
    ...READING_RULES,
    hostPlatform: PLATFORM,
    cache: withMethods('a DescriptionCache', ['get']),
  }),
};

/**
 * Describes the roots of a store that `texts` mean, or all of them without texts. Each root comes once, one at a time;
 * other work of the process gets its turn every few of them. Holds the documents of one image. Throws
 * ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export async function* describeImages(
  store: Store,
  texts: readonly string[] = [],
  options: DescribeOptions = {},
): AsyncGenerator<ImageDescription> {
  check(ARGUMENTS, { store, texts, options });
  const records = await store.list();
  const chosen = texts.length === 0 ? records.filter(isImage) : texts.flatMap((text) => resolveRecords(records, text));
  const roots = new Map(chosen.map(({ descriptor }) => [descriptor.digest, descriptor]));
  const { byRoot, referrers } = listingOf(records);
  let work = 0;
  for (const descriptor of roots.values()) {
    const { image, isNew } = await describeRoot(store, { records, referrers }, descriptor, options);
    const listed = byRoot.get(descriptor.digest) ?? [];
    yield { ...image, names: listed.flatMap(({ name }) => name ?? []), stored: timesOf(listed) };
    work += isNew ? NEW_WORK : KNOWN_WORK;
    if (work < WORK_PER_TURN) continue;
    work = 0;
    await setImmediate();
  }
}

const MANIFESTS_ARGUMENTS = { image: fields({ manifests: listOf(OBJECT) }), platform: PLATFORM };

/** The complete manifests of an image that are exactly of this platform. */
export function manifestsFor(image: ImageDescription, platform: Platform): readonly ManifestDescription[] {
  check(MANIFESTS_ARGUMENTS, { image, platform });
  const matcher = exactly(platform);
  return image.manifests.filter((manifest) => isRunnable(manifest) && matcher.matches(manifest.platform));
}

/** What the content of a root says. It does not depend on names or on the host. */
export type DescribedRoot = Pick<ImageDescription, 'manifests' | 'present' | 'warnings'>;

/** The list of images, and a digest that changes with the set of referrers in it. */
interface Listed {
  readonly records: readonly ImageRecord[];
  readonly referrers: Digest;
}

async function describeRoot(
  store: Store,
  { records, referrers }: Listed,
  descriptor: Descriptor,
  options: DescribeOptions,
): Promise<{ readonly image: Omit<ImageDescription, 'names' | 'stored'>; readonly isNew: boolean }> {
  const { cache = new DescriptionCache() } = options;
  let isNew = false;
  const described = await cache.get(`${descriptor.digest} ${referrers}`, store, async (provider) => {
    isNew = true;
    const value = await describeContent(provider, records, descriptor, options);
    // A repair can keep the size, so results with damage are never cached.
    return { value, isLasting: value.warnings.length === 0 };
  });
  const best = bestOf(described.manifests, options.hostPlatform ?? hostPlatform());
  return { image: { descriptor, ...described, ...(best && { best }) }, isNew };
}

async function describeContent(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  descriptor: Descriptor,
  options: DescribeOptions,
): Promise<DescribedRoot> {
  const { survey, warnings } = await tolerantSurvey(provider, [{ descriptor }], records, options);
  const described = await describeManifests(provider, survey, limitsOf(options.limits));
  const needed = survey.needs.map(({ descriptor: { digest, size } }): [Digest, number] => [digest, size]);
  return {
    manifests: described.manifests,
    present: new Map([...needed, ...described.manifests.flatMap((manifest) => [...manifest.present])]),
    warnings: [...warnings, ...described.warnings],
  };
}

function bestOf(manifests: readonly ManifestDescription[], host: Platform): ManifestDescription | undefined {
  const matcher = compatibleWith(host);
  const complete = manifests.filter(({ kind, available }) => kind === 'image' && available);
  const [preferred] = complete
    .filter(isRunnable)
    .filter(({ platform }) => matcher.matches(platform))
    .toSorted((a, b) => matcher.compare(a.platform, b.platform));
  return preferred ?? complete[0];
}

type Runnable = ManifestDescription & { readonly platform: Platform };

function isRunnable(manifest: ManifestDescription): manifest is Runnable {
  return manifest.kind === 'image' && manifest.available && manifest.platform !== undefined;
}

/** What every description of one list of images needs: read once, however many requests ask for one image of it. */
const listingOf = onceFor((records: readonly ImageRecord[]) => {
  const referrers = records.filter((record) => !isImage(record)).map(({ descriptor }) => descriptor.digest);
  return { byRoot: groupBy(records, ({ descriptor }) => descriptor.digest), referrers: digestOf(referrers.join()) };
});

/** Of several records without a name the youngest counts, and one without a time is younger than all. */
function timesOf(records: readonly ImageRecord[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { name = '', stored = Number.POSITIVE_INFINITY } of records)
    times.set(name, Math.max(stored, times.get(name) ?? 0));
  return new Map([...times].filter(([, time]) => time !== Number.POSITIVE_INFINITY));
}
