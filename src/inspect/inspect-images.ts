import { closureOf } from '../content/closure.js';
import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { inTurns } from '../flow/in-turns.js';
import { bytesOfBlobs } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { isImage, type ImageRecord } from '../model/image-list.js';
import { limitsOf } from '../model/limits.js';
import { resolveRecords } from '../model/resolve-records.js';
import type { ThinList } from '../model/thin-list.js';
import { check, FLAG, listOr, optionsOf, TEXT } from '../model/rules.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { platformMismatch, platformWarning } from '../survey/check-configs.js';
import { platformReportsOf } from '../survey/image-report.js';
import { NAMES, READING_RULES } from '../survey/option-rules.js';
import { labelOfRecord, type PlatformReport, type Warning } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import { tolerantSurvey, type ListOptions } from '../survey/tolerant-survey.js';
import { describeManifests, type ManifestDescription } from './describe-manifests.js';
import { listedSignatures, type ListedSignature } from './listed-signatures.js';
import { blobsOf, platformFactsOf, type PlatformFacts } from './platform-facts.js';
import { referrerFacts } from './referrer-facts.js';

/** How to inspect. */
export interface InspectOptions extends ListOptions {
  /** Tells the values of environment variables too, which may hold secrets. Default: their names only. */
  readonly environmentValues?: boolean;
}

/** One platform of an inspected image, with facts from its manifest and image config if those are here. */
export interface PlatformInspection extends PlatformReport, PlatformFacts {
  /** The indexes that lead to it, the root first; none if the root is its manifest. */
  readonly indexes: readonly Digest[];
  /** How many of its bytes other platforms of the image, or other images, use too. */
  readonly sharedBytes?: number;
}

/** A manifest that refers to an image or to one of its platforms, such as an attestation. */
export interface ReferrerReport {
  readonly digest: Digest;
  readonly subject: Digest;
  readonly state: string;
  /** Its artifact type, or the type of its config or layer that tells most. */
  readonly artifactType?: string;
  /** What its in-toto statements are about, as BuildKit and cosign annotate them. */
  readonly predicateTypes?: readonly string[];
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
  /** Bytes of the manifests, configs and layers of its platforms, each once, here or not. */
  readonly bytes: number;
  /** How many of these bytes several of its platforms, or other images, use. */
  readonly sharedBytes: number;
  readonly referrers: readonly ReferrerReport[];
  /** The signatures and attestations that were found, none of them checked. */
  readonly signatures: readonly ListedSignature[];
  readonly warnings: readonly Warning[];
}

/** The rules of the options of an inspection. */
export const INSPECT_RULES = { ...READING_RULES, environmentValues: FLAG } as const;

const ARGUMENTS = { store: STORE, text: listOr(NAMES, TEXT), options: optionsOf<InspectOptions>(INSPECT_RULES) };

/**
 * Inspects the images that a text means, or several texts, once for each root, whatever number of names it has. Throws ERR_IMAGE_UNKNOWN,
 * ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export async function inspectImages(
  store: Store,
  text: string | readonly string[],
  options: InspectOptions = {},
): Promise<readonly ImageInspection[]> {
  check(ARGUMENTS, { store, text, options });
  const records = await store.list();
  const texts = typeof text === 'string' ? [text] : text;
  return await inspectRecords(
    store,
    records,
    texts.flatMap((one) => resolveRecords(records, one)),
    options,
  );
}

/** Inspects records, of those with the same root only the first. `base`: the layers that a thin archive leaves out. */
export async function inspectRecords(
  store: ContentProvider,
  records: readonly ImageRecord[],
  chosen: readonly ImageRecord[],
  options: InspectOptions,
  base?: ThinList['base'],
): Promise<readonly ImageInspection[]> {
  const firsts = new Map([...chosen].toReversed().map((record) => [record.descriptor.digest, record]));
  const users = await usersOfContent(store, records);
  const inspections: ImageInspection[] = [];
  for (const record of chosen) {
    if (firsts.get(record.descriptor.digest) !== record) continue;
    inspections.push(await inspectRecord({ store, records, users, base }, record, options));
  }
  return inspections;
}

/** How many of the images, up to two, need a blob: a blob that two need is shared. */
type Users = ReadonlyMap<Digest, number>;

/** Counts the images that need each blob. Holds one digest for each blob of the store. */
async function usersOfContent(store: ContentProvider, records: readonly ImageRecord[]): Promise<Users> {
  const users = new Map<Digest, number>();
  const roots = new Map(records.filter(isImage).map(({ descriptor }) => [descriptor.digest, descriptor]));
  for await (const root of inTurns(roots.values())) {
    for (const digest of await closureOf(Documents.stored(store), [root])) add(users, digest);
  }
  return users;
}

interface Listed {
  readonly store: ContentProvider;
  readonly records: readonly ImageRecord[];
  readonly users: Users;
  readonly base: ThinList['base'] | undefined;
}

async function inspectRecord(
  { store, records, users, base }: Listed,
  record: ImageRecord,
  options: InspectOptions,
): Promise<ImageInspection> {
  const { survey, warnings } = await tolerantSurvey(store, [record], records, options);
  const { manifests, warnings: damage } = await describeManifests(store, survey, limitsOf(options.limits));
  const found = await listedSignatures(store, survey, records, limitsOf(options.limits));
  const { digest, mediaType } = record.descriptor;
  const image = labelOfRecord(record);
  const sameRoot = records.filter(({ descriptor }) => descriptor.digest === digest);
  return {
    ...(record.name !== undefined && { name: record.name }),
    ...(record.tag !== undefined && { tag: record.tag }),
    names: sameRoot.map(({ name }) => name).filter((name) => name !== undefined),
    digest,
    mediaType,
    ...inspectPlatforms(survey, record, { manifests, users, options: { ...options, base } }),
    referrers: referrersOf(survey, manifests),
    signatures: found.signatures,
    warnings: [
      ...warnings,
      ...[...damage, ...found.warnings].map((warning) => ({ ...warning, image })),
      ...manifests.flatMap((manifest) => platformWarnings(manifest, image)),
    ],
  };
}

function platformWarnings({ descriptor, config }: ManifestDescription, image: string): readonly Warning[] {
  const mismatch = config && platformMismatch(descriptor, config);
  return mismatch === undefined ? [] : [platformWarning(mismatch, image)];
}

interface Found {
  readonly manifests: readonly ManifestDescription[];
  readonly users: Users;
  readonly options: InspectOptions & Pick<Listed, 'base'>;
}

function inspectPlatforms(
  survey: Survey,
  target: ImageRecord,
  { manifests, users, options }: Found,
): Pick<ImageInspection, 'platforms' | 'bytes' | 'sharedBytes'> {
  const byDigest = new Map(manifests.map((manifest) => [manifest.descriptor.digest, manifest]));
  const described = platformReportsOf(survey, target).map((report) => {
    const manifest = report.digest && byDigest.get(report.digest);
    return { report, manifest, blobs: manifest ? blobsOf(manifest) : new Map<Digest, number>() };
  });
  const owners = new Map<Digest, number>();
  for (const { blobs } of described) for (const digest of blobs.keys()) add(owners, digest);
  const sharedIn = (blobs: Iterable<readonly [Digest, number]>): number =>
    bytesOfBlobs([...blobs].filter(([digest]) => (users.get(digest) ?? 0) > 1 || (owners.get(digest) ?? 0) > 1));
  const parents = new Map(survey.nodes.map(({ node }) => [node.descriptor.digest, node.parent]));
  const all = new Map(described.flatMap(({ blobs }) => [...blobs]));
  const platforms = described.map(({ report, manifest, blobs }) => ({
    ...report,
    indexes: indexesAbove(report.digest, parents),
    ...(manifest?.manifest && { ...platformFactsOf(manifest, options), sharedBytes: sharedIn(blobs) }),
  }));
  return { platforms, bytes: bytesOfBlobs(all), sharedBytes: sharedIn(all) };
}

/** The indexes above a manifest. The survey refuses indexes that are nested too deep, and no index lists itself. */
function indexesAbove(digest: Digest | undefined, parents: ReadonlyMap<Digest, Digest | undefined>): readonly Digest[] {
  const indexes: Digest[] = [];
  for (let at = digest && parents.get(digest); at !== undefined; at = parents.get(at)) indexes.unshift(at);
  return indexes;
}

function add(counts: Map<Digest, number>, digest: Digest): void {
  counts.set(digest, (counts.get(digest) ?? 0) + 1);
}

function referrersOf({ nodes }: Survey, manifests: readonly ManifestDescription[]): readonly ReferrerReport[] {
  const documents = new Map(manifests.map(({ descriptor, manifest }) => [descriptor.digest, manifest]));
  return nodes.flatMap(({ node: { descriptor, subject }, completeness: { state } }) =>
    subject === undefined
      ? []
      : [{ digest: descriptor.digest, subject, state, ...referrerFacts(descriptor, documents.get(descriptor.digest)) }],
  );
}
