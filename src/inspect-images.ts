import type { Digest } from './model/digest.js';
import { diffIdsOf, type ImageConfig } from './model/image-config.js';
import { resolveRecords, type ImageRecord } from './model/image-list.js';
import { limitsOf, type Limits } from './model/limits.js';
import { isImageConfigType } from './model/media-types.js';
import { tolerantSurvey, type ListOptions } from './list-images.js';
import { platformReportOf, type PlatformReport, type Warning } from './reports.js';
import type { ImageTarget } from './stages/records.js';
import type { ContentProvider, Store } from './stores/ports.js';
import { findConfig, findManifest } from './stores/read-document.js';
import type { Survey } from './survey-images.js';

/** One layer of a platform: `size` in bytes as stored. */
export interface LayerReport {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
}

/** One platform of an inspected image, with facts of its config where it is an image and its config is here. */
export interface PlatformInspection extends PlatformReport {
  readonly created?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly layers?: readonly LayerReport[];
  readonly diffIds?: readonly string[];
  /** Bytes of manifest, config and layers. */
  readonly bytes?: number;
  /** Bytes of them that other platforms of the image use too. */
  readonly sharedBytes?: number;
}

/** Something that speaks of an image or of one of its platforms. */
export interface ReferrerReport {
  readonly digest: Digest;
  readonly subject: Digest;
  readonly state: string;
}

/** One image in full. */
export interface ImageInspection {
  readonly name?: string;
  /** Every name of the same root, the asked one included. */
  readonly names: readonly string[];
  readonly digest: Digest;
  readonly mediaType: string;
  readonly platforms: readonly PlatformInspection[];
  readonly referrers: readonly ReferrerReport[];
  readonly warnings: readonly Warning[];
}

/** Inspects the images that a text means. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS. */
export async function inspectImages(
  store: Store,
  text: string,
  options: ListOptions = {},
): Promise<readonly ImageInspection[]> {
  const records = await store.list();
  const inspections: ImageInspection[] = [];
  for (const record of resolveRecords(records, text))
    inspections.push(await inspectRecord(store, records, record, options));
  return inspections;
}

/** Inspects one record. */
export async function inspectRecord(
  store: Store,
  records: readonly ImageRecord[],
  record: ImageRecord,
  options: ListOptions,
): Promise<ImageInspection> {
  const target: ImageTarget = record;
  const { survey, warnings } = await tolerantSurvey(store, [target], records, options);
  const { digest, mediaType } = record.descriptor;
  const sameRoot = records.filter(({ descriptor }) => descriptor.digest === digest);
  return {
    ...(record.name !== undefined && { name: record.name }),
    names: sameRoot.map(({ name }) => name).filter((name) => name !== undefined),
    digest,
    mediaType,
    platforms: await inspectPlatforms(store, survey, target, limitsOf(options.limits)),
    referrers: referrersOf(survey),
    warnings,
  };
}

async function inspectPlatforms(
  store: ContentProvider,
  survey: Survey,
  target: ImageTarget,
  limits: Limits,
): Promise<readonly PlatformInspection[]> {
  const platforms: (PlatformInspection & { blobs: ReadonlyMap<Digest, number> })[] = [];
  for (const outcome of survey.platforms.outcomesOf(target)) {
    const isWhole = outcome.state === 'complete' && outcome.digest !== undefined;
    const facts = isWhole ? await readFacts(store, survey, outcome.digest, limits) : NO_FACTS;
    platforms.push({ ...platformReportOf(outcome), ...facts });
  }
  return platforms.map(({ blobs, ...platform }, at) => {
    const others = platforms.filter((_, other) => other !== at).map((other) => other.blobs);
    const shared = [...blobs].filter(([digest]) => others.some((other) => other.has(digest)));
    return blobs.size === 0 ? platform : { ...platform, bytes: sumOf([...blobs]), sharedBytes: sumOf(shared) };
  });
}

const NO_FACTS = { blobs: new Map<Digest, number>() };

type Facts = Omit<PlatformInspection, keyof PlatformReport> & { readonly blobs: ReadonlyMap<Digest, number> };

async function readFacts(store: ContentProvider, survey: Survey, digest: Digest, limits: Limits): Promise<Facts> {
  const descriptor = survey.nodes.find(({ node }) => node.descriptor.digest === digest)?.node.descriptor;
  const manifest = descriptor && (await findManifest(store, descriptor, limits));
  if (descriptor === undefined || manifest === undefined) return NO_FACTS;
  const content = [descriptor, manifest.config, ...manifest.layers];
  const isImage = isImageConfigType(manifest.config.mediaType);
  const config = isImage ? await findConfig(store, manifest.config, limits) : undefined;
  return {
    ...(config && configFacts(config)),
    layers: manifest.layers.map(({ digest: layer, size, mediaType }) => ({ digest: layer, size, mediaType })),
    blobs: new Map(content.map((blob) => [blob.digest, blob.size])),
  };
}

function configFacts(config: ImageConfig): Omit<Facts, 'blobs'> {
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

function isLabels(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}

function referrersOf({ nodes }: Survey): readonly ReferrerReport[] {
  return nodes.flatMap(({ node: { descriptor, subject }, completeness: { state } }) =>
    subject === undefined ? [] : [{ digest: descriptor.digest, subject, state }],
  );
}

function sumOf(blobs: readonly (readonly [Digest, number])[]): number {
  return blobs.reduce((sum, [, size]) => sum + size, 0);
}
