import { closureOf } from '../content/closure.js';
import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { bytesOfBlobs } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { diffIdsOf, type ImageConfig } from '../model/image-config.js';
import { isImage, type ImageRecord } from '../model/image-list.js';
import { limitsOf } from '../model/limits.js';
import { resolveRecords } from '../model/resolve-records.js';
import { check, optionsOf, TEXT } from '../model/rules.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { platformMismatch, platformWarning } from '../survey/check-configs.js';
import { platformReportsOf } from '../survey/image-report.js';
import { READING_RULES } from '../survey/option-rules.js';
import { labelOfRecord, type PlatformReport, type Warning } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import { tolerantSurvey, type ListOptions } from '../survey/tolerant-survey.js';
import { describeManifests, type ManifestDescription } from './describe-manifests.js';
import { isLabels } from './image-facts.js';

/** One layer of a platform. `size` is in bytes, as stored. */
export interface LayerReport {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
}

/** One platform of an inspected image, with facts from its image config if that is here. */
export interface PlatformInspection extends PlatformReport {
  readonly created?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly layers?: readonly LayerReport[];
  readonly diffIds?: readonly string[];
  /** Bytes of manifest, config and layers. */
  readonly bytes?: number;
  /** How many of these bytes other platforms of the image, or other images, use too. */
  readonly sharedBytes?: number;
}

/** A manifest that refers to an image or to one of its platforms, such as an attestation. */
export interface ReferrerReport {
  readonly digest: Digest;
  readonly subject: Digest;
  readonly state: string;
}

/** One image with all of its platforms and referrers. */
export interface ImageInspection {
  readonly name?: string;
  /** The tag of an image whose archive told no more of its name. */
  readonly tag?: string;
  /** Every name of the same root, including `name`. */
  readonly names: readonly string[];
  readonly digest: Digest;
  readonly mediaType: string;
  readonly platforms: readonly PlatformInspection[];
  readonly referrers: readonly ReferrerReport[];
  readonly warnings: readonly Warning[];
}

const ARGUMENTS = { store: STORE, text: TEXT, options: optionsOf<ListOptions>(READING_RULES) };

/**
 * Inspects the images that a text means, once for each root, whatever number of names it has. Throws ERR_IMAGE_UNKNOWN,
 * ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export async function inspectImages(
  store: Store,
  text: string,
  options: ListOptions = {},
): Promise<readonly ImageInspection[]> {
  check(ARGUMENTS, { store, text, options });
  const records = await store.list();
  return await inspectRecords(store, records, resolveRecords(records, text), options);
}

/** Inspects records, of those with the same root only the first. */
export async function inspectRecords(
  store: ContentProvider,
  records: readonly ImageRecord[],
  chosen: readonly ImageRecord[],
  options: ListOptions,
): Promise<readonly ImageInspection[]> {
  const firsts = new Map([...chosen].toReversed().map((record) => [record.descriptor.digest, record]));
  const users = await usersOfContent(store, records);
  const inspections: ImageInspection[] = [];
  for (const record of chosen) {
    if (firsts.get(record.descriptor.digest) !== record) continue;
    inspections.push(await inspectRecord({ store, records, users }, record, options));
  }
  return inspections;
}

/** How many of the images, up to two, need a blob: a blob that two need is shared. */
type Users = ReadonlyMap<Digest, number>;

/** Counts the images that need each blob. Holds one digest for each blob of the store. */
async function usersOfContent(store: ContentProvider, records: readonly ImageRecord[]): Promise<Users> {
  const users = new Map<Digest, number>();
  const roots = new Map(records.filter(isImage).map(({ descriptor }) => [descriptor.digest, descriptor]));
  for (const root of roots.values()) {
    for (const digest of await closureOf(Documents.stored(store), [root])) {
      users.set(digest, (users.get(digest) ?? 0) + 1);
    }
  }
  return users;
}

interface Listed {
  readonly store: ContentProvider;
  readonly records: readonly ImageRecord[];
  readonly users: Users;
}

async function inspectRecord(
  { store, records, users }: Listed,
  record: ImageRecord,
  options: ListOptions,
): Promise<ImageInspection> {
  const { survey, warnings } = await tolerantSurvey(store, [record], records, options);
  const { manifests, warnings: damage } = await describeManifests(store, survey, limitsOf(options.limits));
  const { digest, mediaType } = record.descriptor;
  const image = labelOfRecord(record);
  const sameRoot = records.filter(({ descriptor }) => descriptor.digest === digest);
  return {
    ...(record.name !== undefined && { name: record.name }),
    ...(record.tag !== undefined && { tag: record.tag }),
    names: sameRoot.map(({ name }) => name).filter((name) => name !== undefined),
    digest,
    mediaType,
    platforms: inspectPlatforms(survey, record, { manifests, users }),
    referrers: referrersOf(survey),
    warnings: [
      ...warnings,
      ...damage.map((warning) => ({ ...warning, image })),
      ...manifests.flatMap((manifest) => platformWarnings(manifest, image)),
    ],
  };
}

function platformWarnings({ descriptor, config }: ManifestDescription, image: string): readonly Warning[] {
  const mismatch = config && platformMismatch(descriptor, config);
  return mismatch === undefined ? [] : [platformWarning(mismatch, image)];
}

function inspectPlatforms(
  survey: Survey,
  target: ImageRecord,
  { manifests, users }: { readonly manifests: readonly ManifestDescription[]; readonly users: Users },
): readonly PlatformInspection[] {
  const described = platformReportsOf(survey, target).map((report) => ({
    report,
    manifest: manifests.find(({ available, descriptor }) => available && descriptor.digest === report.digest),
  }));
  return described.map(({ report, manifest }) => {
    if (manifest === undefined) return report;
    const others = described.filter((other) => other.report !== report).map((other) => other.manifest?.present);
    const shared = [...manifest.present].filter(
      ([digest]) => (users.get(digest) ?? 0) > 1 || others.some((other) => other?.has(digest)),
    );
    return {
      ...report,
      ...factsOf(manifest),
      bytes: bytesOfBlobs([...manifest.present]),
      sharedBytes: bytesOfBlobs(shared),
    };
  });
}

type Facts = Omit<PlatformInspection, keyof PlatformReport>;

function factsOf({ manifest, config }: ManifestDescription): Facts {
  const layers = manifest?.layers ?? [];
  return {
    ...(config && configFacts(config)),
    layers: layers.map(({ digest, size, mediaType }) => ({ digest, size, mediaType })),
  };
}

function configFacts(config: ImageConfig): Facts {
  const { Entrypoint: entrypoint, Cmd: command, Labels: labels } = config.config ?? {};
  return {
    ...(config.created && { created: config.created }),
    ...(isTexts(entrypoint) && { entrypoint }),
    ...(isTexts(command) && { command }),
    ...(isLabels(labels) && { labels }),
    diffIds: diffIdsOf(config),
  };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function referrersOf({ nodes }: Survey): readonly ReferrerReport[] {
  return nodes.flatMap(({ node: { descriptor, subject }, completeness: { state } }) =>
    subject === undefined ? [] : [{ digest: descriptor.digest, subject, state }],
  );
}
