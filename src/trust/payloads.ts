import { parseStrictJson } from '../content/strict-json.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { algorithmOf, type Digest } from '../model/digest.js';
import { asFields, asList, asObject, asText, invalid } from '../model/json.js';

/** The predicate type of an image signature in a bundle; any other type is an attestation. */
const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

const SIMPLE_TYPE = 'cosign container image signature';
const STATEMENT_TYPES = ['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1'];

/** What a signed payload says of an image. */
export interface Said {
  readonly isSignature: boolean;
  /** The type of an attestation's predicate. */
  readonly predicateType?: string;
  /** The name that the signer gave the image; not every form has one. */
  readonly reference?: string;
}

/*
 * Both functions read bytes whose signature was found good. They throw ERR_DOCUMENT_INVALID if the payload is not of
 * its form, or speaks of another digest: a good signature over another image is none over this one.
 */

/** Reads a simple-signing payload about a digest. */
export async function readSimpleSigning(bytes: Buffer, digest: Digest, where: string): Promise<Said> {
  const critical = asFields(
    asFields(await parseStrictJson(bytes, where, DEFAULT_LIMITS.maxJsonDepth), where, ['critical', 'optional'])[
      'critical'
    ],
    `${where}.critical`,
    ['identity', 'image', 'type'],
  );
  if (critical['type'] !== SIMPLE_TYPE) throw invalid(`${where}.critical.type`, 'not the type of an image signature');
  const place = `${where}.critical.image`;
  const image = asFields(critical['image'], place, ['docker-manifest-digest']);
  if (image['docker-manifest-digest'] !== digest) throw invalid(place, 'speaks of another digest');
  const { 'docker-reference': reference } = asFields(critical['identity'] ?? {}, `${where}.critical.identity`, [
    'docker-reference',
  ]);
  return {
    isSignature: true,
    ...(reference !== undefined && { reference: asText(reference, `${where}.critical.identity`) }),
  };
}

/** Reads an in-toto statement about a digest. */
export async function readStatement(bytes: Buffer, digest: Digest, where: string): Promise<Said> {
  const value = await parseStrictJson(bytes, where, DEFAULT_LIMITS.maxJsonDepth);
  const fields = asFields(value, where, ['_type', 'subject', 'predicateType', 'predicate']);
  if (!STATEMENT_TYPES.includes(asText(fields['_type'], `${where}._type`)))
    throw invalid(`${where}._type`, 'not the type of a statement');
  const subjects = asList(fields['subject'], `${where}.subject`);
  if (!subjects.some((subject, at) => isAbout(subject, digest, `${where}.subject[${at}]`)))
    throw invalid(`${where}.subject`, 'speaks of another digest');
  const predicateType = asText(fields['predicateType'], `${where}.predicateType`);
  return predicateType === SIGNATURE_PREDICATE ? { isSignature: true } : { isSignature: false, predicateType };
}

function isAbout(subject: unknown, digest: Digest, where: string): boolean {
  const digests = asObject(asFields(subject, where, ['digest'])['digest'], `${where}.digest`);
  const algorithm = algorithmOf(digest);
  return digests[algorithm] === digest.slice(algorithm.length + 1);
}
