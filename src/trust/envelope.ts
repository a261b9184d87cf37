import { parseStrictJson } from '../content/strict-json.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { asFields, asList, asText, invalid } from '../model/json.js';
import { decodeBase64 } from './base64.js';

/** The type of the payload of an attestation and of a bundle. Signatures over others say nothing about an image. */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';

/** The most signatures of an envelope. Each is compared with each key, over a payload of some MiB. */
const MAX_SIGNATURES = 16;

/** A signed payload with its signatures (DSSE, "envelope"). The payload is not to be read before one is good. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly Buffer[];
}

/** Parses a DSSE envelope. Throws ERR_DOCUMENT_INVALID, ERR_LIMIT_DEPTH. */
export async function parseEnvelope(bytes: Buffer, where: string): Promise<Envelope> {
  return envelopeOf(await parseStrictJson(bytes, where, DEFAULT_LIMITS.maxJsonDepth), where);
}

/** A parsed JSON value as an envelope. Throws ERR_DOCUMENT_INVALID. */
export function envelopeOf(value: unknown, where: string): Envelope {
  const { payloadType, payload, signatures } = asFields(value, where, ['payloadType', 'payload', 'signatures']);
  const listed = asList(signatures, `${where}.signatures`);
  if (listed.length > MAX_SIGNATURES) throw invalid(`${where}.signatures`, `more than ${MAX_SIGNATURES}`);
  return {
    payloadType: asText(payloadType, `${where}.payloadType`),
    payload: asBytes(payload, `${where}.payload`),
    signatures: listed.map((item, at) => {
      const place = `${where}.signatures[${at}]`;
      return asBytes(asFields(item, place, ['sig', 'keyid'])['sig'], `${place}.sig`);
    }),
  };
}

function asBytes(value: unknown, where: string): Buffer {
  const bytes = decodeBase64(asText(value, where), 'standard or url-safe');
  if (bytes === undefined) throw invalid(where, 'not base64');
  return bytes;
}

/** The bytes that an envelope's signatures cover (DSSE, "pre-authentication encoding"). */
export function signedBytesOf({ payloadType, payload }: Envelope): Buffer {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `), payload]);
}
