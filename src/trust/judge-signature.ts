import { inTurns } from '../flow/in-turns.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { decodeBase64 } from './base64.js';
import { parseBundle } from './bundle.js';
import { isSignedBy, type SignedForm } from './check-signature.js';
import { parseEnvelope, signedBytesOf, STATEMENT_TYPE, type Envelope } from './envelope.js';
import type { FoundSignature } from './signatures-in.js';
import { readSimpleSigning, readStatement, type Said } from './payloads.js';
import type { PublicKey } from './public-key.js';

/**
 * Whether a signature is good. `valid`: by a wanted key, over this digest. `other-key`: it says that it is by another
 * key. `unsupported`: of a kind that is not checked. `unsigned`: it carries no signature at all.
 */
export type SignatureState = 'valid' | 'invalid' | 'other-key' | 'unsupported' | 'unsigned';

/** What a signature is, whatever it is wanted for. Nothing of a payload is told unless its signature is good. */
export interface JudgedSignature {
  readonly found: FoundSignature;
  readonly state: SignatureState;
  readonly reason?: string;
  /** The wanted keys that signed. Empty unless it is valid. */
  readonly signers: readonly PublicKey[];
  /** What it says, if it is valid. */
  readonly said?: Said;
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

/**
 * Judges a signature whose layer has these verified bytes; undefined if they are too many, damaged or not here. Other
 * work of the process gets its turn after every few keys.
 */
export async function judgeSignature(
  found: FoundSignature,
  bytes: Buffer | undefined,
  keys: readonly PublicKey[],
): Promise<JudgedSignature> {
  try {
    const signed = await signedIn(found, bytes);
    const signers = await signersOf(signed, keys);
    // Only now: whoever wrote an unsigned payload could make readers see different ones.
    return { found, state: 'valid', signers, said: await signed.read() };
  } catch (error) {
    if (error instanceof NotValid) return { found, state: error.state, reason: error.message, signers: [] };
    if (error instanceof LadingError) return { found, state: 'invalid', reason: error.message, signers: [] };
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

/** The wanted keys that signed. A hint that names another key saves the attempt; one that fits proves nothing. */
async function signersOf(
  { form, bytes, signatures, hint }: Signed,
  keys: readonly PublicKey[],
): Promise<readonly PublicKey[]> {
  const hinted = keys.filter(({ id }) => hint === undefined || hint === id);
  if (hinted.length === 0) throw new NotValid('other-key', 'by another key');
  const signers: PublicKey[] = [];
  for await (const key of inTurns(hinted))
    if (signatures.some((signature) => isSignedBy(key, bytes, signature, form))) signers.push(key);
  if (signers.length > 0) return signers;
  const isEdwards = hinted.some(({ hash }) => hash === null);
  const prehashed = isEdwards ? '; a signature of the prehashed form Ed25519ph is not checked' : '';
  throw new NotValid('invalid', `not signed by a wanted key${prehashed}`);
}
