import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import type { ErrorCode } from '../model/errors.js';
import { groupBy } from '../model/group-by.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import { nodesOf } from '../survey/nodes-of.js';
import type { ListedNode, Survey } from '../survey/survey-images.js';
import { MAX_ENVELOPE_BYTES, maxBytesOf, SignatureFinder } from './find-signatures.js';
import { judgeSignature, type SignatureReport, type Wanted } from './judge-signature.js';

/** What must be signed. `each`: every manifest that is here, itself or by an index above it. `root`: the root. */
export type Cover = 'each' | 'root';

/** Why an image is not trusted. */
export interface TrustReason {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Whether an image is signed as it must be, and every signature that was found. */
export interface TrustReport {
  readonly name?: string;
  readonly digest: Digest;
  readonly decision: 'allowed' | 'denied';
  readonly reasons: readonly TrustReason[];
  readonly signatures: readonly SignatureReport[];
  /** Whether the root itself is signed. If not, an unsigned index could call an image by another platform. */
  readonly isRootSigned: boolean;
}

/** Where to find images and their signatures: a survey of the images, and all records that may be signatures. */
export interface TrustSources {
  readonly provider: ContentProvider;
  readonly limits: Limits;
  readonly survey: Survey;
  readonly records: readonly ImageRecord[];
}

/** Judges surveyed images by the signatures over what is here of them. Throws ERR_LIMIT_DESCRIPTORS. */
export async function judgeImages(
  { provider, limits, survey, records }: TrustSources,
  targets: readonly ImageRecord[],
  { cover, ...wanted }: Omit<Wanted, 'name'> & { readonly cover: Cover },
): Promise<readonly TrustReport[]> {
  const maxDocumentBytes = Math.max(MAX_ENVELOPE_BYTES, limits.maxDocumentBytes);
  // A damaged signature is none.
  const documents = new Documents(provider, { limits: { ...limits, maxDocumentBytes }, onDamage: () => {} });
  const finder = new SignatureFinder(documents, records, survey.nodes);
  const reports: TrustReport[] = [];
  for (const target of targets) {
    const judge = new ImageJudge(documents, finder, { ...wanted, name: target.name });
    reports.push(await judge.judge(survey, target, cover));
  }
  return reports;
}

/** Judges one image. Holds the reports of its signatures by digest. */
class ImageJudge {
  readonly #documents: Documents;
  readonly #finder: SignatureFinder;
  readonly #wanted: Wanted;
  readonly #found = new Map<Digest, readonly SignatureReport[]>();

  constructor(documents: Documents, finder: SignatureFinder, wanted: Wanted) {
    this.#documents = documents;
    this.#finder = finder;
    this.#wanted = wanted;
  }

  async judge(survey: Survey, target: ImageRecord, cover: Cover): Promise<TrustReport> {
    const { name, descriptor } = target;
    const nodes = nodesOf(survey, target);
    const here = nodes.filter(
      ({ node, completeness }) =>
        node.subject === undefined && node.kind !== 'index' && completeness.state === 'complete',
    );
    const needed =
      cover === 'root' || here.length === 0 ? [descriptor.digest] : here.map(({ node }) => node.descriptor.digest);
    const places = groupBy(nodes, ({ node }) => node.descriptor.digest);
    const reasons: TrustReason[] = [];
    for (const digest of new Set(needed)) {
      const path = [...pathTo(digest, places)];
      if (!(await this.#isAnySigned(path))) reasons.push(this.#reason(digest, path));
    }
    const isRootSigned = await this.#isAnySigned([descriptor.digest]);
    return {
      ...(name !== undefined && { name }),
      digest: descriptor.digest,
      decision: reasons.length === 0 ? 'allowed' : 'denied',
      reasons,
      signatures: [...this.#found.values()].flat(),
      isRootSigned,
    };
  }

  async #isAnySigned(digests: readonly Digest[]): Promise<boolean> {
    let isSigned = false;
    for (const digest of digests) isSigned = (await this.#reportsOf(digest)).some(isGoodSignature) || isSigned;
    return isSigned;
  }

  async #reportsOf(digest: Digest): Promise<readonly SignatureReport[]> {
    const known = this.#found.get(digest);
    if (known !== undefined) return known;
    const reports: SignatureReport[] = [];
    for (const found of await this.#finder.find(digest)) {
      const isSmall = found.layer.size <= maxBytesOf(found.kind);
      const bytes = isSmall ? await this.#documents.bytes(found.layer) : undefined;
      reports.push(await judgeSignature(found, bytes, this.#wanted));
    }
    this.#found.set(digest, reports);
    return reports;
  }

  #reason(digest: Digest, path: readonly Digest[]): TrustReason {
    const tried = path.flatMap((one) => this.#found.get(one) ?? []).filter(({ state }) => isChecked(state));
    if (tried.length === 0) {
      const others = path.flatMap((one) => this.#found.get(one) ?? []).map(({ reason = '' }) => reason);
      const found = others.length === 0 ? '' : `; found: ${[...new Set(others)].join(', ')}`;
      return { code: 'ERR_SIGNATURE_MISSING', message: `${digest} has no signature that can be checked${found}` };
    }
    const why = [...new Set(tried.map(({ kind, reason = 'an attestation, no signature' }) => `${kind}: ${reason}`))];
    return { code: 'ERR_SIGNATURE_INVALID', message: `${digest} has no valid signature; ${why.join('; ')}` };
  }
}

function isChecked(state: SignatureReport['state']): boolean {
  return state !== 'unsupported' && state !== 'unsigned';
}

/** An attestation never counts as a signature: a signed report of faults is no approval. */
function isGoodSignature({ state, predicateType }: SignatureReport): boolean {
  return state === 'valid' && predicateType === undefined;
}

/** The digest, and every index above it: the signed bytes of an index hold the digests of its children. */
function pathTo(digest: Digest, places: ReadonlyMap<Digest, readonly ListedNode[]>): ReadonlySet<Digest> {
  const path = new Set([digest]);
  for (const one of path) {
    for (const { node } of places.get(one) ?? []) if (node.parent !== undefined) path.add(node.parent);
  }
  return path;
}
