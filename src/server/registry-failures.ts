import { LadingError } from '../index.js';
import { failureOf, STATUS, type Failure } from './statuses.js';

/** The names of an image in messages, as Docker prints them: with its tag or digest, and without. */
export interface ShownName {
  readonly image: string;
  readonly repository: string;
}

/**
 * What a client learns about a pull or push that failed, in the Engine's words where clients look for them. Never 401:
 * the docker command would ask for a password and wait.
 */
export function registryFailure({ image, repository }: ShownName): (error: unknown) => Failure {
  return (error) => {
    const failure = failureOf(error);
    if (!(error instanceof LadingError)) return failure;
    if (error.code === 'ERR_IMAGE_UNKNOWN')
      return { ...failure, message: `manifest for ${image} not found: manifest unknown` };
    if (error.code === 'ERR_REGISTRY_RATE') return { ...failure, message: `toomanyrequests: ${failure.message}` };
    if (error.code !== 'ERR_REGISTRY_AUTH' && error.code !== 'ERR_REGISTRY_DENIED') return failure;
    const message = `access denied for ${repository}, repository does not exist or may require 'docker login': denied: ${failure.message}`;
    return { ...failure, status: STATUS.notFound, message };
  };
}

/** The same for a request that only reads: there the true status is safe. */
export function distributionFailure(shown: ShownName): (error: unknown) => Failure {
  return (error) => {
    const failure = registryFailure(shown)(error);
    if (failure.code === 'ERR_REGISTRY_AUTH') return { ...failure, status: STATUS.unauthorized };
    return failure.code === 'ERR_REGISTRY_DENIED' ? { ...failure, status: STATUS.forbidden } : failure;
  };
}
