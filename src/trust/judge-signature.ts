import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { parseReference, type Reference } from '../model/reference.js';
import { decodeBase64 } from './base64.js';
import { parseBundle } from './bundle.js';
import { isSignedBy, type SignedForm } from './check-signature.js';
import { parseEnvelope, signedBytesOf, STATEMENT_TYPE, type Envelope } from './envelope.js';
import type { FoundSignature, SignatureKind } from './find-signatures.js';
import { readSimpleSigning, readStatement, type Said } from './payloads.js';
import type { PublicKey } from './public-key.js';

/**
 * Whether a signature is good. `valid`: by a wanted key, over this digest. `other-key`: it says that it is by another
 * key. `unsupported`: of a kind that is not checked. `unsigned`: it carries no signature at all.
 */
export type SignatureState = 'valid' | 'invalid' | 'other-key' | 'unsupported' | 'unsigned';

/** What was found about one signature or attestation. Nothing of a payload is told unless its signature is good. */
export interface SignatureReport {
  readonly kind: SignatureKind;
  /** The digest that it was found for. */
  readonly over: Digest;
  readonly state: SignatureState;
  /** The name of the key, for a valid one. */
  readonly by?: string;
  readonly reason?: string;
  /** Whether it names the image's repository. `none`: it names no image. */
  readonly identity?: 'same' | 'other' | 'none';
  /** The type of an attestation's predicate; undefined for a signature of the image. */
  readonly predicateType?: string;
  readonly transparency: 'not checked';
}

/** The keys that count, the image's name, and whether a signature must name its repository. */
export interface Wanted {
  readonly keys: readonly PublicKey[];
  readonly name?: string | undefined;
  /** `stated`: a signature that names another repository is not valid. `any`: that does not matter. */
  readonly identity: 'stated' | 'required' | 'any';
}

/** The signed bytes, their signatures, and the reader of what they say. */
interface Signed {
  readonly form: SignedForm;
  readonly bytes: Buffer;
  readonly signatures: readonly Buffer[];
  readonly hint?: string | undefined;
  readonly read: () => Promise<Said>;
}

/** Why a signature does not count. */
class NotValid extends Error {
  readonly state: Exclude<SignatureState, 'valid'>;

  constructor(state: Exclude<SignatureState, 'valid'>, reason: string) {
    super(reason);
    this.state = state;
  }
}

/** Judges a signature whose layer has these verified bytes; undefined if they are too many, damaged or not here. */
export async function judgeSignature(
  found: FoundSignature,
  bytes: Buffer | undefined,
  wanted: Wanted,
): Promise<SignatureReport> {
  const { kind, over } = found;
  const common = { kind, over, transparency: 'not checked' } as const;
  try {
    const signed = await signedIn(found, bytes);
    const by = signerOf(signed, wanted.keys);
    // Only now: whoever wrote an unsigned payload could make readers see different ones.
    const { predicateType, reference, isSignature } = await signed.read();
    const identity = isSignature ? identityOf(reference, wanted) : undefined;
    checkIdentity(identity, wanted);
    return {
      ...common,
      state: 'valid',
      by: by.name,
      ...(identity && { identity }),
      ...(predicateType !== undefined && { predicateType }),
    };
  } catch (error) {
    if (error instanceof NotValid) return { ...common, state: error.state, reason: error.message };
    if (error instanceof LadingError) return { ...common, state: 'invalid', reason: error.message };
    throw error;
  }
}

async function signedIn({ kind, layer, over }: FoundSignature, bytes: Buffer | undefined): Promise<Signed> {
  if (kind === 'in-toto') throw new NotValid('unsigned', 'an attestation without a signature');
  if (kind === 'notation') throw new NotValid('unsupported', 'notation: not checked');
  if (bytes === undefined) throw new NotValid('invalid', 'its content is missing, damaged or too large');
  const where = `${kind} ${layer.digest}`;
  if (kind === 'dsse') return fromEnvelope(await parseEnvelope(bytes, where), over, where);
  if (kind === 'cosign') return fromSimpleSigning(layer.annotations ?? {}, bytes, over, where);
  const bundle = await parseBundle(bytes, where);
  if ('unsupported' in bundle) throw new NotValid('unsupported', bundle.unsupported);
  return { ...fromEnvelope(bundle.envelope, over, where), hint: bundle.hint };
}

function fromSimpleSigning(
  annotations: Readonly<Record<string, string>>,
  bytes: Buffer,
  over: Digest,
  where: string,
): Signed {
  const signature = decodeBase64(annotations['dev.cosignproject.cosign/signature'] ?? '', 'standard');
  if (signature === undefined || signature.length === 0) throw new NotValid('invalid', 'its signature is not base64');
  const read = async (): Promise<Said> => await readSimpleSigning(bytes, over, where);
  return { form: 'simple', bytes, signatures: [signature], read };
}

function fromEnvelope(envelope: Envelope, over: Digest, where: string): Signed {
  if (envelope.payloadType !== STATEMENT_TYPE) throw new NotValid('invalid', 'its payload is no statement');
  const read = async (): Promise<Said> => await readStatement(envelope.payload, over, where);
  return { form: 'dsse', bytes: signedBytesOf(envelope), signatures: envelope.signatures, read };
}

/** The first wanted key that signed. A hint that names another key saves the attempt; one that fits proves nothing. */
function signerOf({ form, bytes, signatures, hint }: Signed, keys: readonly PublicKey[]): PublicKey {
  const hinted = keys.filter(({ id }) => hint === undefined || hint === id);
  if (hinted.length === 0) throw new NotValid('other-key', 'by another key');
  const signer = hinted.find((key) => signatures.some((signature) => isSignedBy(key, bytes, signature, form)));
  if (signer !== undefined) return signer;
  const isEdwards = hinted.some(({ hash }) => hash === null);
  const prehashed = isEdwards ? '; a signature of the prehashed form Ed25519ph is not checked' : '';
  throw new NotValid('invalid', `not signed by a wanted key${prehashed}`);
}

function identityOf(reference: string | undefined, { name }: Wanted): SignatureReport['identity'] {
  if (reference === undefined || reference === '') return 'none';
  const [stated, own] = [repositoryOf(reference), repositoryOf(name ?? '')];
  return stated !== undefined && (name === undefined || stated === own) ? 'same' : 'other';
}

function repositoryOf(text: string): string | undefined {
  try {
    const { domain, path }: Reference = parseReference(text);
    return `${domain}/${path}`;
  } catch {
    return undefined;
  }
}

function checkIdentity(identity: SignatureReport['identity'], wanted: Wanted): void {
  if (wanted.identity === 'any' || identity === undefined) return;
  if (identity === 'other') throw new NotValid('invalid', 'it names another repository');
  if (identity === 'none' && wanted.identity === 'required') throw new NotValid('invalid', 'it names no repository');
}
