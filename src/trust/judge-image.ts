import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import { nodesOf } from '../survey/nodes-of.js';
import { labelOfRecord } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import { MAX_ENVELOPE_BYTES, SignatureFinder } from './find-signatures.js';
import { contentReasons, mismatchReasons } from './judge-content.js';
import { asJudged, nameReasons, type JudgedName } from './judge-name.js';
import { SignatureJudge } from './judge-signatures.js';
import { ruleFor, type Policy, type PolicyRule } from './policy.js';
import type { TrustReason, TrustReport } from './trust-report.js';

/** Where to find images and their signatures: a survey of the images, and all records that may be signatures. */
export interface TrustSources {
  readonly provider: ContentProvider;
  readonly limits: Limits;
  readonly survey: Survey;
  readonly records: readonly ImageRecord[];
  /** Roots that were made from a docker-archive: it has no manifest that anybody could have signed. */
  readonly made?: ReadonlySet<Digest>;
  /** The roots that the names have now, where names are about to be given. */
  readonly holders?: ReadonlyMap<string, Digest>;
  /** The name that the policy judges an image by, where that is not the one that it gets. */
  readonly judgedName?: JudgedName | undefined;
}

/** Judges surveyed images by a policy. Holds the reports of all, and one signature. Throws ERR_LIMIT_DESCRIPTORS. */
export async function judgeImages(
  sources: TrustSources,
  targets: readonly ImageRecord[],
  policy: Policy,
): Promise<readonly TrustReport[]> {
  const { provider, limits, survey, records } = sources;
  const maxDocumentBytes = Math.max(MAX_ENVELOPE_BYTES, limits.maxDocumentBytes);
  // A damaged signature is none.
  const documents = new Documents(provider, { limits: { ...limits, maxDocumentBytes }, onDamage: () => {} });
  const judging = { sources, documents, finder: new SignatureFinder(documents, records, survey.nodes) };
  const reports: TrustReport[] = [];
  for (const target of targets) {
    const judged = asJudged(target, sources.judgedName);
    const rule = ruleFor(policy, judged);
    if (rule === undefined || rule.deny !== undefined) reports.push(withoutDemands(judged, rule, policy));
    else reports.push(await judgeByRule(judging, target, rule));
  }
  return reports;
}

interface Judging {
  readonly sources: TrustSources;
  readonly documents: Documents;
  readonly finder: SignatureFinder;
}

/** What a rule denies, and what no rule matches. */
function withoutDemands(target: ImageRecord, rule: PolicyRule | undefined, policy: Policy): TrustReport {
  const isDenied = rule !== undefined || policy.default === 'deny';
  const unmatched = target.name === undefined ? 'no rule is for images without a name' : 'no rule allows this name';
  const message = rule === undefined ? unmatched : `${rule.label} denies it: ${quote(rule.deny ?? '')}`;
  return {
    ...named(target),
    rule: rule?.label ?? 'default',
    ...verdict(isDenied ? [{ code: 'ERR_POLICY_DENIED', message }] : []),
    signatures: [],
    isRootSigned: false,
    warnings: [],
  };
}

async function judgeByRule(
  { sources, documents, finder }: Judging,
  target: ImageRecord,
  rule: PolicyRule,
): Promise<TrustReport> {
  const nodes = nodesOf(sources.survey, target);
  const judged = asJudged(target, sources.judgedName);
  const judge = new SignatureJudge(documents, finder, { rule, target: judged, nodes });
  const isMade = sources.made?.has(target.descriptor.digest) === true;
  const unsigned = isMade ? unsignedReasons(rule) : await judge.reasons();
  const isRootSigned = !isMade && (await judge.isRootSigned());
  const reasons = [
    ...nameReasons(rule, target, sources.holders),
    ...(await contentReasons(documents, rule, { target, nodes })),
    ...(await mismatchReasons(documents, rule, nodes, isRootSigned)),
    ...unsigned,
  ];
  const image = labelOfRecord(judged);
  return {
    ...named(judged),
    rule: rule.label,
    ...verdict(reasons),
    signatures: judge.reports(),
    isRootSigned,
    warnings: reasons.length > 0 ? [] : judge.warnings(isRootSigned).map((warning) => ({ ...warning, image })),
  };
}

/** Why nothing of an image that was made from a docker-archive is signed. */
function unsignedReasons({ signatures, attestations }: PolicyRule): readonly TrustReason[] {
  const message = 'it comes from a docker-archive, which has no manifest that could be signed';
  return [
    ...(signatures.length > 0 ? [{ code: 'ERR_SIGNATURE_MISSING', message } as const] : []),
    ...(attestations.length > 0 ? [{ code: 'ERR_ATTESTATION_MISSING', message } as const] : []),
  ];
}

function named({ name, descriptor: { digest } }: ImageRecord): Pick<TrustReport, 'name' | 'digest'> {
  return { ...(name !== undefined && { name }), digest };
}

function verdict(reasons: readonly TrustReason[]): Pick<TrustReport, 'decision' | 'reasons'> {
  return { decision: reasons.length === 0 ? 'allowed' : 'denied', reasons };
}
