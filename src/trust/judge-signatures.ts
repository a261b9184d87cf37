import type { Documents } from '../content/documents.js';
import { inTurns } from '../flow/in-turns.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { groupBy } from '../model/group-by.js';
import type { ImageRecord } from '../model/image-list.js';
import { labelOfRecord, type Warning } from '../survey/reports.js';
import type { ListedNode } from '../survey/survey-images.js';
import { maxBytesOf, type SignatureFinder } from './find-signatures.js';
import { manifestsHere, type SurveyedImage } from './judge-content.js';
import type { TrustReason } from './trust-report.js';
import { judgeSignature, type JudgedSignature, type SignatureState } from './judge-signature.js';
import type { Cover, PolicyRule } from './policy.js';
import type { PublicKey } from './public-key.js';
import { reportsOf, signersFor, type SignatureReport } from './signature-report.js';

/** The most signatures and attestations that are looked at for one image: one manifest may have thousands. */
const MAX_SIGNATURES = 4096;

/** The wanted keys that a signature or attestation counts for. */
type Counting = (judged: JudgedSignature) => readonly PublicKey[];

/** Keys that must have signed: so many of them, and what they must have signed. */
interface Wanted {
  readonly threshold: number;
  readonly cover: Cover;
  readonly counts: Counting;
  readonly missing: (digest: Digest, path: readonly Digest[], signers: ReadonlySet<PublicKey>) => TrustReason;
}

/** Judges what was signed of one image. Looks for nothing unless the rule demands it. Holds its judged signatures. */
export class SignatureJudge {
  readonly #documents: Documents;
  readonly #finder: SignatureFinder;
  readonly #rule: PolicyRule;
  readonly #image: SurveyedImage;
  readonly #keys: readonly PublicKey[];
  readonly #found = new Map<Digest, readonly JudgedSignature[]>();
  #tried = 0;

  constructor(documents: Documents, finder: SignatureFinder, image: SurveyedImage & { readonly rule: PolicyRule }) {
    this.#documents = documents;
    this.#finder = finder;
    this.#rule = image.rule;
    this.#image = image;
    this.#keys = [...new Set([...image.rule.signatures, ...image.rule.attestations].flatMap(({ keys }) => keys))];
  }

  /** The demands that are not met: one reason for each digest that lacks a signature or an attestation. */
  async reasons(): Promise<readonly TrustReason[]> {
    const { signatures, attestations } = this.#rule;
    const wanted: readonly Wanted[] = [
      ...signatures.map((demand) => ({
        ...demand,
        counts: (judged: JudgedSignature) => signersFor(judged, demand, this.#image.target.name),
        missing: this.#signatureMissing(demand.threshold),
      })),
      ...attestations.map(({ predicateType, keys, ...demand }) => ({
        ...demand,
        counts: ({ said, signers }: JudgedSignature) =>
          said?.predicateType === predicateType ? signers.filter((key) => keys.includes(key)) : [],
        missing: this.#attestationMissing(predicateType, demand.threshold),
      })),
    ];
    const reasons: TrustReason[] = [];
    for (const demand of wanted) reasons.push(...(await this.#unmet(demand)));
    return reasons;
  }

  /** Whether the root itself has a signature that one of the demands counts. */
  async isRootSigned(): Promise<boolean> {
    const { signatures } = this.#rule;
    if (signatures.length === 0) return false;
    const judged = await this.#judge(this.#image.target.descriptor.digest);
    const { name } = this.#image.target;
    return judged.some((one) => signatures.some((demand) => signersFor(one, demand, name).length > 0));
  }

  /** What was found so far. */
  reports(): readonly SignatureReport[] {
    const { name } = this.#image.target;
    return this.#all().flatMap((judged) => reportsOf(judged, this.#rule.signatures, name));
  }

  /** What is to be said about an image that is allowed. */
  warnings(isRootSigned: boolean): readonly Warning[] {
    const unsupported = this.#all().filter(({ state }) => state === 'unsupported');
    const reasons = [...new Set(unsupported.map(({ reason = '' }) => reason))];
    const { digest } = this.#image.target.descriptor;
    return [
      ...(this.#rule.signatures.length > 0 && !isRootSigned
        ? [{ code: 'WARN_ROOT_UNSIGNED' as const, message: `${digest} is not signed itself, only what it lists` }]
        : []),
      ...(reasons.length > 0
        ? [
            {
              code: 'WARN_TRUST_UNCHECKED' as const,
              message: `${digest} also has what was not checked: ${reasons.join('; ')}`,
            },
          ]
        : []),
    ];
  }

  #all(): readonly JudgedSignature[] {
    return [...this.#found.values()].flat();
  }

  async #unmet({ cover, threshold, counts, missing }: Wanted): Promise<readonly TrustReason[]> {
    const { target, nodes } = this.#image;
    const here = manifestsHere(nodes).map(({ node }) => node.descriptor.digest);
    const needed = cover === 'root' || here.length === 0 ? [target.descriptor.digest] : here;
    const places = groupBy(nodes, ({ node }) => node.descriptor.digest);
    const reasons: TrustReason[] = [];
    for (const digest of new Set(needed)) {
      const path = [...pathTo(digest, places)];
      const signers = new Set<PublicKey>();
      for (const one of path)
        for (const judged of await this.#judge(one)) counts(judged).forEach((key) => signers.add(key));
      if (signers.size < threshold) reasons.push(missing(digest, path, signers));
    }
    return reasons;
  }

  async #judge(digest: Digest): Promise<readonly JudgedSignature[]> {
    const known = this.#found.get(digest);
    if (known !== undefined) return known;
    const candidates = await this.#finder.find(digest);
    this.#tried += candidates.length;
    if (this.#tried > MAX_SIGNATURES) throw tooMany(this.#image.target);
    const judged: JudgedSignature[] = [];
    for await (const found of inTurns(candidates)) {
      const isSmall = found.layer.size <= maxBytesOf(found.kind);
      const bytes = isSmall ? await this.#documents.bytes(found.layer) : undefined;
      judged.push(await judgeSignature(found, bytes, this.#keys));
    }
    this.#found.set(digest, judged);
    return judged;
  }

  #signatureMissing(threshold: number): Wanted['missing'] {
    return (digest, path, { size }) => {
      const reports = this.#reportsOn(path);
      const tried = reports.filter(({ state }) => isChecked(state));
      if (tried.length === 0)
        return {
          code: 'ERR_SIGNATURE_MISSING',
          message: `${digest} has no signature that can be checked${foundIn(reports)}`,
        };
      const why = [
        ...new Set(
          tried.flatMap(({ kind, reason, predicateType }) => {
            const told = reason ?? (predicateType === undefined ? undefined : 'an attestation, no signature');
            return told === undefined ? [] : `${kind}: ${told}`;
          }),
        ),
      ];
      const short =
        size === 0
          ? 'no valid signature'
          : `valid signatures by ${size} of the ${threshold} keys that must have signed`;
      const code = size > 0 && why.length === 0 ? 'ERR_SIGNATURE_MISSING' : 'ERR_SIGNATURE_INVALID';
      return { code, message: [`${digest} has ${short}`, ...why].join('; ') };
    };
  }

  #attestationMissing(predicateType: string, threshold: number): Wanted['missing'] {
    return (digest, path, { size }) => {
      const type = quote(predicateType);
      const short =
        size === 0
          ? `no valid attestation ${type}`
          : `attestations ${type} by ${size} of the ${threshold} keys that must have signed`;
      return { code: 'ERR_ATTESTATION_MISSING', message: `${digest} has ${short}${foundIn(this.#reportsOn(path))}` };
    };
  }

  #reportsOn(path: readonly Digest[]): readonly SignatureReport[] {
    const judged = path.flatMap((one) => this.#found.get(one) ?? []);
    return judged.flatMap((one) => reportsOf(one, this.#rule.signatures, this.#image.target.name));
  }
}

function isChecked(state: SignatureState): boolean {
  return state !== 'unsupported' && state !== 'unsigned';
}

function tooMany(target: ImageRecord): LadingError {
  const image = labelOfRecord(target);
  const message = `${image} has more than ${MAX_SIGNATURES} signatures and attestations`;
  return new LadingError('ERR_LIMIT_DESCRIPTORS', message, { details: { image } });
}

/** What was found and why it does not count, as the end of a sentence. */
function foundIn(reports: readonly SignatureReport[]): string {
  const reasons = [...new Set(reports.flatMap(({ reason }) => reason ?? []))];
  return reasons.length === 0 ? '' : `; found: ${reasons.join(', ')}`;
}

/** The digest, and every index above it: the signed bytes of an index hold the digests of its children. */
function pathTo(digest: Digest, places: ReadonlyMap<Digest, readonly ListedNode[]>): ReadonlySet<Digest> {
  const path = new Set([digest]);
  for (const one of path) {
    for (const { node } of places.get(one) ?? []) if (node.parent !== undefined) path.add(node.parent);
  }
  return path;
}
