import { closureOfKept } from '../content/closure.js';
import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { isWhole } from '../content/is-whole.js';
import { throwIfAborted } from '../model/aborted.js';
import { companionsAmong, companionSubject } from '../model/companion-tag.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { hasImageLayer } from '../model/image-manifest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import { listedIn } from '../stores/listed-in.js';
import type { ImageDestination } from '../stores/store.js';
import type { Warning } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import { deniedWarnings, demandAllowed, demandDigests } from '../trust/demand-trust.js';
import { judgeImages } from '../trust/judge-image.js';
import { asJudged, type JudgedName } from '../trust/judge-name.js';
import { ruleFor, type Policy } from '../trust/policy.js';
import type { TrustReport } from '../trust/trust-report.js';

/** What a load demands of the images before it gives them their names. */
export interface TrustDemands {
  readonly policy: Policy | undefined;
  /** Whether what the policy denies is only told. */
  readonly policyReport: boolean;
  /** The name that the policy judges an image by, where that is not the one that it gets. */
  readonly judgedName?: JudgedName | undefined;
  /** What an error says did not happen. */
  readonly outcome?: string | undefined;
  /** The digests that roots may have; none: any. */
  readonly digests: readonly Digest[];
}

/** What a load is about to publish. */
export interface Judged {
  readonly destination: ImageDestination;
  readonly provider: ContentProvider;
  readonly limits: Limits;
  /** A survey of the images with everything that refers to them, also what is not going to be kept. */
  readonly survey: Survey;
  /** Everything that gets a name. */
  readonly taken: readonly ImageRecord[];
  /** All records of the archive: signatures may be among them. */
  readonly records: readonly ImageRecord[];
  /** The digests that the archive's `index.json` lists. */
  readonly listed: ReadonlySet<Digest>;
  /** The blobs that the images need and that the destination had. */
  readonly present: Iterable<Digest>;
  readonly signal: AbortSignal | undefined;
}

/** What was found of each image, and what is to be said about it. */
export interface LoadTrust {
  readonly reports: readonly TrustReport[] | undefined;
  readonly warnings: readonly Warning[];
}

/**
 * Judges everything that gets a name, by the signatures of the archive and of the store. Signatures themselves need
 * none. Throws ERR_DIGEST_REFUSED, the errors of the policy, and ERR_DIGEST_MISMATCH for a blob of the store that a rule
 * wants hashed again.
 */
export async function judgeLoad(load: Judged, demands: TrustDemands): Promise<LoadTrust> {
  const { policy, policyReport, judgedName, outcome = 'nothing was loaded', digests } = demands;
  if (policy === undefined && digests.length === 0) return { reports: undefined, warnings: [] };
  const stored = await listedIn(load.destination);
  const judged = await withoutCompanions(load, stored);
  demandDigests(judged, digests);
  if (policy === undefined) return { reports: undefined, warnings: [] };
  const names = judged.flatMap(({ name }) => name ?? []);
  const holders = await load.destination.holders(names);
  const { provider, limits, survey } = load;
  const roots = judged.map(({ descriptor }) => descriptor.digest);
  const made = new Set(roots.filter((digest) => !load.listed.has(digest)));
  const records = [...load.records, ...stored];
  const sources = { provider, limits, survey, records, made, holders, judgedName };
  const reports = await judgeImages(sources, judged, policy);
  if (!policyReport) demandAllowed(reports, outcome);
  if (judged.some((record) => ruleFor(policy, asJudged(record, judgedName))?.verifyPresent === true))
    await hashPresent(load);
  return { reports, warnings: [...deniedWarnings(reports), ...reports.flatMap(({ warnings }) => warnings)] };
}

/**
 * What must be judged: everything but signatures and the like of what is loaded or was in the store before. What a
 * container could run is never taken for one, whatever its name says.
 */
async function withoutCompanions(
  { taken, survey, provider, limits }: Judged,
  stored: readonly ImageRecord[],
): Promise<readonly ImageRecord[]> {
  const companions = taken.filter((record) => companionSubject(record) !== undefined);
  if (companions.length === 0) return taken;
  const own = new Set(taken.filter((record) => companionSubject(record) === undefined));
  const loaded = survey.nodes.filter(({ node }) => own.has(node.target)).map(({ node }) => node.descriptor.digest);
  const kept = await closureOfKept(Documents.stored(provider), stored);
  const documents = new Documents(provider, { limits, onDamage: () => {} });
  const exempt = new Set<ImageRecord>();
  for (const record of companionsAmong(companions, [...loaded, ...kept]))
    if (await isArtifact(documents, record.descriptor)) exempt.add(record);
  return taken.filter((record) => !exempt.has(record));
}

/** Whether nothing in it is an image: a manifest without layers of images, or an index of such manifests. */
async function isArtifact(documents: Documents, descriptor: ImageRecord['descriptor'], depth = 0): Promise<boolean> {
  if (isManifestType(descriptor.mediaType)) {
    const manifest = await documents.manifest(descriptor);
    return manifest === undefined || !hasImageLayer(manifest);
  }
  if (!isIndexType(descriptor.mediaType) || depth > 0) return false;
  const { manifests = [] } = (await documents.index(descriptor)) ?? {};
  for (const child of manifests) if (!(await isArtifact(documents, child, depth + 1))) return false;
  return true;
}

/** Hashes blobs of the store that the images need. Throws ERR_DIGEST_MISMATCH. */
export async function hashPresent({
  provider,
  present,
  signal,
}: Pick<Judged, 'provider' | 'present' | 'signal'>): Promise<void> {
  for (const digest of present) {
    throwIfAborted(signal, 'the load');
    if ((await isWhole(provider, digest)) === true) continue;
    const message = `blob ${digest} of the store is damaged; use lading verify, and load its image again`;
    throw new LadingError('ERR_DIGEST_MISMATCH', message, { details: { digest } });
  }
}
