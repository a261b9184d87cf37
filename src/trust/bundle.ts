import { parseStrictJson } from '../content/strict-json.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { asFields, asText, invalid } from '../model/json.js';
import { envelopeOf, type Envelope } from './envelope.js';

/** The media types of Sigstore bundles that are read. */
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.[123]|\.v0\.3\+json)$/;

/** Whether a layer or artifact of this type is a Sigstore bundle, of any version. */
export function isBundleType(mediaType: string): boolean {
  return mediaType.startsWith('application/vnd.dev.sigstore.bundle');
}

/** A bundle that was signed with a key, or why it is of a kind that is not checked. */
export type Bundle = { readonly envelope: Envelope; readonly hint?: string } | { readonly unsupported: string };

/** Parses a Sigstore bundle. Its transparency entries are not read. Throws ERR_DOCUMENT_INVALID, ERR_LIMIT_DEPTH. */
export async function parseBundle(bytes: Buffer, where: string): Promise<Bundle> {
  const value = await parseStrictJson(bytes, where, DEFAULT_LIMITS.maxJsonDepth);
  const fields = asFields(value, where, ['mediaType', 'verificationMaterial', 'dsseEnvelope', 'messageSignature']);
  const mediaType = asText(fields['mediaType'], `${where}.mediaType`);
  if (!BUNDLE.test(mediaType)) return { unsupported: 'a bundle of another version' };
  const place = `${where}.verificationMaterial`;
  const material = asFields(fields['verificationMaterial'], place, [
    'publicKey',
    'certificate',
    'x509CertificateChain',
  ]);
  const isKeyless = material['certificate'] !== undefined || material['x509CertificateChain'] !== undefined;
  if (isKeyless && material['publicKey'] !== undefined) throw invalid(place, 'has a key and a certificate');
  if (isKeyless) return { unsupported: 'keyless: not checked' };
  const { hint } = asFields(material['publicKey'], `${place}.publicKey`, ['hint']);
  if (fields['dsseEnvelope'] === undefined) return { unsupported: 'a signature of a file, not of an image' };
  if (fields['messageSignature'] !== undefined) throw invalid(where, 'has two contents');
  const envelope = envelopeOf(fields['dsseEnvelope'], `${where}.dsseEnvelope`);
  if (envelope.signatures.length !== 1) throw invalid(where, `has ${envelope.signatures.length} signatures, not one`);
  return { envelope, ...(hint !== undefined && { hint: asText(hint, `${place}.publicKey.hint`) }) };
}
