import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { digestMismatch } from '../content/mismatch.js';
import { companionSubject } from '../model/companion-tag.js';
import type { PlatformState } from '../model/completeness.js';
import { contentKindOf, totalBytes } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageManifest } from '../model/image-manifest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import { isManifestType } from '../model/media-types.js';
import { platformReportsOf } from '../survey/image-report.js';
import { nodesOf } from '../survey/nodes-of.js';
import type { PlatformReport } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import type { TrustReport } from '../trust/trust-report.js';

/** A blob of an image: its digest, its size in bytes, its media type. */
export type LoadBlob = Pick<Descriptor, 'digest' | 'size' | 'mediaType'>;

/** One platform of an image that is about to get its name. */
export interface LoadPlatform {
  /** As in a `PlatformReport`. */
  readonly platform: string;
  readonly digest?: Digest;
  readonly state: PlatformState;
  /** Undefined where it is not complete, or is no manifest. */
  readonly config?: LoadBlob;
  readonly layers: readonly LoadBlob[];
}

/** A signature, an attestation or something else that refers to a part of an image. */
export interface LoadReferrer {
  readonly digest: Digest;
  /** The type of the artifact, as its manifest states it, or else its config's type. */
  readonly artifactType?: string;
  readonly subject: Digest;
}

/** An image that is about to get its name. */
export interface LoadImage {
  /** Undefined for an image that stays without a name. */
  readonly name?: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** The root that the name means now, if it is another one. */
  readonly replaces?: Digest;
  readonly platforms: readonly LoadPlatform[];
  readonly referrers: readonly LoadReferrer[];
  /** Undefined unless the load was given keys or a policy. */
  readonly trust?: TrustReport;
}

/** What a load is about to make visible. Frozen. */
export interface LoadGraph {
  readonly images: readonly LoadImage[];
  /** The bytes of all blobs that the images need, packed. */
  readonly bytes: number;
  /**
   * The bytes of a blob of the images, verified: it throws ERR_DIGEST_MISMATCH at the end of damaged ones. Throws
   * ERR_BLOB_MISSING for any other blob. It works until the hook is over.
   */
  readonly open: (digest: Digest) => AsyncIterable<Buffer>;
}

/** What a graph is made of. */
export interface GraphSources {
  readonly provider: ContentProvider;
  readonly limits: Limits;
  readonly survey: Survey;
  readonly taken: readonly ImageRecord[];
  /** Named records that speak of the images: signatures, for example. */
  readonly companions: readonly ImageRecord[];
  readonly holders: ReadonlyMap<string, Digest>;
  readonly needs: readonly Descriptor[];
  readonly trust: readonly TrustReport[];
}

/** The graph of a load. Reads the manifests. Holds a small record for each blob. */
export async function loadGraphOf(sources: GraphSources): Promise<LoadGraph> {
  const documents = new Documents(sources.provider, { limits: sources.limits });
  const images: LoadImage[] = [];
  for (const target of sources.taken) images.push(await imageOf(documents, sources, target));
  const needs = new Map(sources.needs.map((descriptor) => [descriptor.digest, descriptor]));
  const bytes = totalBytes([...needs.values()].map(({ size }) => size));
  const open = (digest: Digest): AsyncIterable<Buffer> => openVerified(sources.provider, needs.get(digest), digest);
  return frozen({ images, bytes, open });
}

async function imageOf(documents: Documents, sources: GraphSources, target: ImageRecord): Promise<LoadImage> {
  const { name, descriptor } = target;
  const { survey, holders, trust } = sources;
  const holder = name === undefined ? undefined : holders.get(name);
  const report = trust.find((one) => one.digest === descriptor.digest && one.name === name);
  const platforms: LoadPlatform[] = [];
  for (const platform of platformReportsOf(survey, target))
    platforms.push(await platformOf(documents, survey, platform));
  return {
    ...(name !== undefined && { name }),
    digest: descriptor.digest,
    mediaType: descriptor.mediaType,
    ...(holder !== undefined && holder !== descriptor.digest && { replaces: holder }),
    platforms,
    referrers: await referrersOf(documents, sources, target),
    ...(report && { trust: report }),
  };
}

async function platformOf(
  documents: Documents,
  { nodes }: Survey,
  { platform, digest, state }: PlatformReport,
): Promise<LoadPlatform> {
  const common = { platform, ...(digest && { digest }), state };
  const found = nodes.find(({ node }) => node.descriptor.digest === digest && node.kind === 'manifest');
  const manifest = found && state === 'complete' ? await documents.manifest(found.node.descriptor) : undefined;
  if (manifest === undefined) return { ...common, layers: [] };
  return { ...common, config: blobOf(manifest.config), layers: manifest.layers.map(blobOf) };
}

function blobOf({ digest, size, mediaType }: Descriptor): LoadBlob {
  return { digest, size, mediaType };
}

async function referrersOf(
  documents: Documents,
  { survey, companions }: GraphSources,
  target: ImageRecord,
): Promise<readonly LoadReferrer[]> {
  const nodes = nodesOf(survey, target).filter(({ completeness }) => completeness.state === 'complete');
  const own = new Set(nodes.map(({ node }) => node.descriptor.digest));
  const listed = nodes.flatMap(({ node: { descriptor, subject } }) => (subject ? [{ descriptor, subject }] : []));
  const named = companions.flatMap((record) => {
    const subject = companionSubject(record);
    return subject !== undefined && own.has(subject) ? [{ descriptor: record.descriptor, subject }] : [];
  });
  const referrers: LoadReferrer[] = [];
  for (const { descriptor, subject } of [...listed, ...named]) {
    const manifest = isManifestType(descriptor.mediaType) ? await documents.manifest(descriptor) : undefined;
    const artifactType = manifest && artifactTypeOf(manifest);
    referrers.push({ digest: descriptor.digest, ...(artifactType !== undefined && { artifactType }), subject });
  }
  return referrers;
}

/** image-spec, "Guidelines for Artifact Usage": without a type of its own, an artifact has that of its config. */
function artifactTypeOf({ artifactType, config }: ImageManifest): string {
  return artifactType ?? config.mediaType;
}

async function* openVerified(
  provider: ContentProvider,
  need: Descriptor | undefined,
  digest: Digest,
): AsyncGenerator<Buffer> {
  if (need === undefined)
    throw new LadingError('ERR_BLOB_MISSING', `no image of the load needs blob ${String(digest)}`, {
      details: { digest },
    });
  const digester = new Digester(algorithmOf(digest));
  for await (const chunk of provider.open(digest, { kind: contentKindOf(need) })) {
    digester.update(chunk);
    yield chunk;
  }
  const actual = digester.digest();
  if (actual !== digest) throw digestMismatch(digest, actual);
}

/** The value, and everything in it, so that nobody can change it. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}
