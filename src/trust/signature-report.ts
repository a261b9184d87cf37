import type { Digest } from '../model/digest.js';
import { parseReference } from '../model/reference.js';
import type { SignatureKind } from './signatures-in.js';
import type { JudgedSignature, SignatureState } from './judge-signature.js';
import type { Identity, SignatureDemand } from './policy.js';
import type { PublicKey } from './public-key.js';

/** What was found about one signature or attestation. Nothing of a payload is told unless its signature is good. */
export interface SignatureReport {
  readonly kind: SignatureKind;
  /** The digest that it was found for. */
  readonly over: Digest;
  readonly state: SignatureState;
  /** The name of the key, for a valid one. What several keys signed has a report for each. */
  readonly by?: string;
  readonly reason?: string;
  /** Whether it names the image's repository. `none`: it names no image. */
  readonly identity?: 'same' | 'other' | 'none';
  /** The type of an attestation's predicate; undefined for a signature of the image. */
  readonly predicateType?: string;
  readonly transparency: 'not checked';
}

/** The reports of a judged signature: one for each key that signed. */
export function reportsOf(
  judged: JudgedSignature,
  demands: readonly SignatureDemand[],
  name: string | undefined,
): readonly SignatureReport[] {
  const { found, state, reason, signers, said } = judged;
  const { kind, over } = found;
  const common = { kind, over, transparency: 'not checked' } as const;
  if (said === undefined) return [{ ...common, state, ...(reason !== undefined && { reason }) }];
  const { predicateType } = said;
  if (!said.isSignature)
    return signers.map((by) => ({
      ...common,
      state,
      by: by.name,
      ...(predicateType !== undefined && { predicateType }),
    }));
  return signers.map((by) => {
    const own = demands.filter(({ keys }) => keys.includes(by));
    const faults = own.map(({ identity }) => identityFault(judged, identity, name));
    const [fault] = faults;
    const isRefused = fault !== undefined && faults.every((one) => one !== undefined);
    const identity = identityOf(said.reference, name);
    return { ...common, identity, ...(isRefused ? { state: 'invalid', reason: fault } : { state, by: by.name }) };
  });
}

/** The wanted keys that signed what the demand accepts. An attestation is no signature: it may report faults. */
export function signersFor(
  judged: JudgedSignature,
  { keys, identity }: SignatureDemand,
  name: string | undefined,
): readonly PublicKey[] {
  const { said, signers } = judged;
  if (said?.isSignature !== true || identityFault(judged, identity, name) !== undefined) return [];
  return signers.filter((key) => keys.includes(key));
}

/** Why the repository that a signature states is not the wanted one. */
function identityFault({ said }: JudgedSignature, wanted: Identity, name: string | undefined): string | undefined {
  if (wanted === 'any') return undefined;
  const isMirror = typeof wanted === 'object';
  const identity = identityOf(said?.reference, isMirror ? wanted.repository : name);
  if (identity === 'other') return 'it names another repository';
  const mustState = isMirror || wanted === 'required';
  return identity === 'none' && mustState ? 'it names no repository' : undefined;
}

/** An image without a name has no repository that a stated one could differ from. */
function identityOf(reference: string | undefined, name: string | undefined): 'same' | 'other' | 'none' {
  if (reference === undefined || reference === '') return 'none';
  const [stated, own] = [repositoryOf(reference), repositoryOf(name ?? '')];
  return stated !== undefined && (name === undefined || stated === own) ? 'same' : 'other';
}

function repositoryOf(text: string): string | undefined {
  try {
    const { domain, path } = parseReference(text);
    return `${domain}/${path}`;
  } catch {
    return undefined;
  }
}
