import { isDigest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import type { Repository } from './repository.js';

/**
 * Deletes a tag, or a manifest by its digest; never blobs, and never by digest what was named by its tag. Throws
 * ERR_IMAGE_UNKNOWN, and ERR_REGISTRY_REFUSED with what can be done instead.
 */
export async function deleteManifest(repository: Repository, reference: string): Promise<void> {
  const name = `${repository.label}${isDigest(reference) ? '@' : ':'}${reference}`;
  const call = { method: 'DELETE', to: repository.path(`manifests/${reference}`), what: `manifest ${name}` } as const;
  const answer = await repository.send(call);
  if (answer.status === 202 || answer.status === 200 || answer.status === 204) return answer.discard();
  if (answer.status === 404) {
    answer.discard();
    throw new LadingError('ERR_IMAGE_UNKNOWN', `the registry has no image ${quote(name)}`, {
      details: { image: name },
    });
  }
  const error = await repository.refusalOf(answer, call);
  if (isDigest(reference) || ![400, 405].includes(answer.status)) throw error;
  const message = `${error.message}; this registry deletes no tags: name the digest, docker://${repository.label}@DIGEST, which removes every tag of it`;
  throw new LadingError('ERR_REGISTRY_REFUSED', message, { cause: error, details: error.details });
}
