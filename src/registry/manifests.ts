import { digestMismatch } from '../content/mismatch.js';
import { parseStrictJson } from '../content/strict-json.js';
import { algorithmOf, digestOf, isDigest, type Digest } from '../model/digest.js';
import type { Descriptor } from '../model/descriptor.js';
import { LadingError, quote } from '../model/errors.js';
import { isIndexType, isManifestType, MEDIA_TYPES } from '../model/media-types.js';
import { readBody, type Answer } from './answers.js';
import { faultsOf } from './registry-errors.js';
import { CLOSING_MS } from './settings.js';
import type { Repository, RepositoryCall } from './repository.js';

/** A document as a registry gave it, with the descriptor that its bytes have. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/**
 * Never less: without the types of indexes Docker Hub gives one platform instead of an index, and docker-registry knows
 * no document of OCI (distribution-spec issue 207).
 */
const ACCEPT = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerManifestList,
  MEDIA_TYPES.dockerManifest,
  '*/*',
].join(', ');

/** What registries say of a document whose type they do not keep. */
const NO_TYPES: readonly string[] = ['', 'text/plain', 'application/json', 'application/octet-stream'];

/** Reads manifests and indexes by tag or digest. */
export class Manifests {
  readonly #repository: Repository;
  readonly #maxBytes: number;

  constructor(repository: Repository, maxBytes: number) {
    this.#repository = repository;
    this.#maxBytes = maxBytes;
  }

  /** The descriptor of a tag or digest, without its bytes if the registry can; undefined if there is none. */
  async head(reference: string): Promise<Descriptor | undefined> {
    const call = this.#call('HEAD', reference);
    const answer = await this.#repository.send(call);
    answer.discard();
    const { status, headers } = answer;
    if (status === 401) throw await this.#repository.refusalOf(answer, call);
    const digest = headers['docker-content-digest'];
    const size = Number(headers['content-length'] ?? 0);
    const mediaType = typeOf(answer);
    const isKnown = isIndexType(mediaType) || isManifestType(mediaType);
    // A registry or a proxy that does not answer HEAD in full is asked for the document itself.
    if (status !== 200 || typeof digest !== 'string' || !isDigest(digest) || size === 0 || !isKnown) {
      const isJson = headers['content-type']?.includes('json') ?? false;
      if (status === 404 && (isJson || isDigest(reference))) return undefined;
      return (await this.get(reference))?.descriptor;
    }
    if (isDigest(reference) && digest !== reference) throw digestMismatch(reference, digest);
    return { mediaType, digest, size };
  }

  /**
   * The same at a destination. Some registries forbid to read what is not there (GHCR, Artifactory): it counts as not
   * there, and whoever may not write is told so when the first blob is sent.
   */
  async headToReplace(reference: string): Promise<Descriptor | undefined> {
    try {
      return await this.head(reference);
    } catch (error) {
      if (error instanceof LadingError && error.code === 'ERR_REGISTRY_DENIED') return undefined;
      throw error;
    }
  }

  /** A document with its descriptor, verified; undefined if there is none. Throws ERR_DIGEST_MISMATCH, ERR_MEDIA_TYPE. */
  async get(reference: string): Promise<FetchedManifest | undefined> {
    const call = this.#call('GET', reference);
    const answer = await this.#repository.send(call);
    if (answer.status === 404) {
      answer.discard();
      return undefined;
    }
    if (answer.status !== 200) throw await this.#refusalOf(answer, call);
    const bytes = await this.#read(answer, call);
    const digest = this.#digestOf(answer, bytes, reference);
    const mediaType = await this.#mediaTypeOf(answer, bytes, digest);
    return { bytes, descriptor: { mediaType, digest, size: bytes.length } };
  }

  async #read(answer: Answer, call: RepositoryCall): Promise<Buffer> {
    const told = Number(answer.headers['content-length'] ?? 0);
    if (told > this.#maxBytes) {
      answer.discard();
      const message = `registry ${this.#repository.name.host}: ${call.what} has ${told} bytes, more than ${this.#maxBytes}`;
      throw new LadingError('ERR_LIMIT_DOCUMENT', message, { details: { size: told } });
    }
    return await readBody(answer, this.#maxBytes, this.#repository.askedOf(answer, call));
  }

  #digestOf({ headers }: Answer, bytes: Buffer, reference: string): Digest {
    if (isDigest(reference)) {
      const actual = digestOf(bytes, algorithmOf(reference));
      if (actual !== reference) throw digestMismatch(reference, actual);
      return reference;
    }
    const actual = digestOf(bytes);
    const told = headers['docker-content-digest'];
    if (typeof told === 'string' && isDigest(told) && algorithmOf(told) === 'sha256' && told !== actual)
      throw digestMismatch(told, actual);
    return actual;
  }

  async #mediaTypeOf(answer: Answer, bytes: Buffer, digest: Digest): Promise<string> {
    const { host } = this.#repository.name;
    const told = typeOf(answer);
    const fields = await parseStrictJson(bytes, `registry ${host}: ${digest}`, 64);
    const own = stated(fields);
    if (own.schemaVersion === 1 || told.includes('docker.distribution.manifest.v1')) {
      const message = `registry ${host}: ${digest} is of Docker schema 1, which is long out of use; push the image again with a newer tool`;
      throw new LadingError('ERR_FORMAT_UNSUPPORTED', message, { details: { digest } });
    }
    if (NO_TYPES.includes(told)) return own.mediaType ?? own.shape ?? told;
    if (own.mediaType === undefined || own.mediaType === told) return told;
    const message = `registry ${host}: ${digest}: the registry says ${quote(told)}, the document says ${quote(own.mediaType)}`;
    throw new LadingError('ERR_MEDIA_TYPE', message, { details: { digest, expected: told, mediaType: own.mediaType } });
  }

  async #refusalOf(answer: Answer, call: RepositoryCall): Promise<LadingError> {
    return await this.#repository.refusalOf(answer, call);
  }

  #call(method: 'GET' | 'HEAD', reference: string): RepositoryCall {
    const what = `manifest ${this.#repository.label}${isDigest(reference) ? '@' : ':'}${reference}`;
    return { method, to: this.#repository.path(`manifests/${reference}`), what, headers: { accept: ACCEPT } };
  }
}

/** The media type of an answer, without parameters. */
function typeOf({ headers }: Answer): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

function stated(value: unknown): {
  readonly mediaType?: string;
  readonly shape?: string;
  readonly schemaVersion?: unknown;
} {
  if (typeof value !== 'object' || value === null) return {};
  const { mediaType, schemaVersion } = value as Readonly<Record<string, unknown>>;
  const shape = 'manifests' in value ? MEDIA_TYPES.ociIndex : 'layers' in value ? MEDIA_TYPES.ociManifest : undefined;
  return { schemaVersion, ...(typeof mediaType === 'string' && { mediaType }), ...(shape !== undefined && { shape }) };
}

/** What a registry did with a manifest: `missing` names content that it wants first. */
export type PutOutcome =
  | { readonly isTaken: true; readonly subject: boolean }
  | { readonly isTaken: false; readonly missing: Digest | undefined; readonly error: LadingError };

/** Writes a manifest or index under a tag or its digest. Throws the refusals of a registry, except for missing content. */
export async function putManifest(
  repository: Repository,
  reference: string,
  { bytes, descriptor }: FetchedManifest,
): Promise<PutOutcome> {
  const what = `manifest ${repository.label}${isDigest(reference) ? '@' : ':'}${reference}`;
  const call = {
    method: 'PUT',
    to: repository.path(`manifests/${reference}`),
    what,
    headers: { 'content-type': descriptor.mediaType, 'content-length': String(bytes.length) },
    body: async function* () {
      yield bytes;
    },
    headersMs: CLOSING_MS,
  } as const;
  const answer = await repository.send(call);
  if ([200, 201, 202].includes(answer.status)) {
    answer.discard();
    const told = answer.headers['docker-content-digest'];
    if (typeof told === 'string' && told !== descriptor.digest)
      throw repository.broken(
        answer,
        call,
        `it was stored as ${quote(told)} instead of ${descriptor.digest}: the registry changed it`,
      );
    return { isTaken: true, subject: answer.headers['oci-subject'] !== undefined };
  }
  const body = await readBody(answer);
  const again = {
    ...answer,
    body: (async function* () {
      yield body;
    })(),
  };
  const missing = (await faultsOf({ body })).find(({ code }) =>
    /^(?:MANIFEST_BLOB_UNKNOWN|BLOB_UNKNOWN|MANIFEST_UNKNOWN)$/.test(code),
  );
  const error = await repository.refusalOf(again, call);
  if (missing !== undefined) return { isTaken: false, missing: digestIn(missing.detail), error };
  if (answer.status !== 409) throw error;
  throw new LadingError('ERR_NAME_CONFLICT', error.message, { cause: error, details: error.details });
}

/** The digest in the `detail` of an error, which is a text or an object. */
function digestIn(detail: unknown): Digest | undefined {
  const text = typeof detail === 'string' ? detail : JSON.stringify(detail ?? '');
  const found = /sha(?:256|384|512):[0-9a-f]{64,128}/.exec(text)?.[0];
  return found !== undefined && isDigest(found) ? found : undefined;
}
