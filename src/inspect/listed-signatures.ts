import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import type { Warning } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import { SignatureFinder } from '../trust/find-signatures.js';
import type { FoundSignature, SignatureKind } from '../trust/signatures-in.js';

/** A signature or an attestation that was found. Nobody has checked it: `verifyTrust` does, with keys. */
export interface ListedSignature {
  readonly kind: SignatureKind;
  /** What it is said to speak of: the root, or a manifest or index below it. */
  readonly over: Digest;
  /** The blob with what is signed. */
  readonly digest: Digest;
  /** The type of an attestation, as unsigned annotations state it. */
  readonly predicateType?: string;
  /** `unsigned`: it carries no signature at all, as the attestations of BuildKit. */
  readonly state: 'not checked' | 'unsigned';
}

/** The signatures and attestations over what is here of a surveyed image. */
export async function listedSignatures(
  provider: ContentProvider,
  { nodes }: Survey,
  records: readonly ImageRecord[],
  limits: Limits,
): Promise<{ readonly signatures: readonly ListedSignature[]; readonly warnings: readonly Warning[] }> {
  const finder = new SignatureFinder(new Documents(provider, { limits, onDamage: () => {} }), records, nodes);
  const subjects = nodes.filter(
    ({ node, completeness }) => node.subject === undefined && completeness.state === 'complete',
  );
  const signatures: ListedSignature[] = [];
  const warnings: Warning[] = [];
  for (const digest of new Set(subjects.map(({ node }) => node.descriptor.digest))) {
    try {
      signatures.push(...(await finder.find(digest)).map(listed));
    } catch (error) {
      if (!(error instanceof LadingError) || error.category !== 'limit') throw error;
      warnings.push({ code: 'WARN_TRUST_UNCHECKED', message: `${error.message}; none of them is listed` });
    }
  }
  return { signatures, warnings };
}

function listed({ kind, over, layer, predicateType }: FoundSignature): ListedSignature {
  return {
    kind,
    over,
    digest: layer.digest,
    ...(predicateType !== undefined && { predicateType }),
    state: kind === 'in-toto' ? 'unsigned' : 'not checked',
  };
}
