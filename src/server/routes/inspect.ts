import type { FastifyInstance } from 'fastify';
import {
  formatPlatformFull,
  jsonLine,
  LadingError,
  manifestsFor,
  type ImageDescription,
  type ManifestDescription,
} from '../../index.js';
import type { Named, ServerContext } from '../context.js';
import { described } from '../described.js';
import { findImage } from '../find-image.js';
import { isTrue, platformOf } from '../query.js';
import { HISTORY_SCHEMA, INSPECT_SCHEMA } from '../schemas.js';
import { historyOf } from '../shapes/history.js';
import { imageInspectOf } from '../shapes/image-inspect.js';
import { namesOf } from '../shapes/image-summary.js';
import { EngineError, STATUS } from '../statuses.js';

interface InspectRoute extends Named {
  readonly Querystring: { readonly manifests?: string; readonly platform?: string };
}

/** `GET /images/{name}/json` and `/history`: one image, for the requested platform or the host's. */
export function inspectRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get<InspectRoute>('/images/:name/json', { schema: INSPECT_SCHEMA }, async ({ params, query, minor }) => {
    const platform = platformIn(query, minor, 49);
    const withManifests = minor >= 48 && isTrue(query.manifests);
    if (withManifests && platform !== undefined) {
      const message = 'conflicting options: manifests and platform options cannot both be set';
      throw new EngineError(STATUS.badRequest, message);
    }
    return await context.answers.gather(async () => {
      const { image, shown } = await showImage(context, params.name, platform);
      return imageInspectOf(image, { minor, shown, isByPlatform: platform !== undefined, withManifests });
    });
  });
  app.get<InspectRoute>('/images/:name/history', { schema: HISTORY_SCHEMA }, async ({ params, query, minor }) => {
    return await context.answers.gather(async () => {
      const { image, shown } = await showImage(context, params.name, platformIn(query, minor, 48));
      if (shown === undefined) throw nothingComplete(params.name);
      return historyOf(shown, image.descriptor.digest, namesOf(image, image.names, minor).RepoTags);
    });
  });
}

/** The requested platform; undefined if it is empty, as in the Engine, or if the API version has no such parameter. */
function platformIn({ platform }: InspectRoute['Querystring'], minor: number, since: number): string | undefined {
  return minor < since || platform === '' ? undefined : platform;
}

/** One image, and the manifest of its platform that is shown; undefined where none is complete. */
export interface ShownImage {
  readonly image: ImageDescription;
  readonly shown: ManifestDescription | undefined;
}

/** Finds an image, and its manifest for a platform, or else for the host. Throws ERR_PLATFORM_UNAVAILABLE. */
export async function showImage(
  context: ServerContext,
  name: string,
  platform: string | undefined,
): Promise<ShownImage> {
  const { record } = await findImage(context.store, name);
  for await (const image of described(context, [record.descriptor.digest])) {
    return { image, shown: platform === undefined ? image.best : manifestOf(image, name, platform) };
  }
  throw nothingComplete(name);
}

function manifestOf(image: ImageDescription, name: string, text: string): ManifestDescription {
  const platform = platformOf(text);
  const [manifest] = manifestsFor(image, platform);
  if (manifest !== undefined) return manifest;
  const wanted = formatPlatformFull(platform);
  const message = `image with reference ${name} was found but does not provide the specified platform (${wanted})`;
  throw new LadingError('ERR_PLATFORM_UNAVAILABLE', message, { details: { image: name, platform: wanted } });
}

/** The error for an image without a manifest to show. */
export function nothingComplete(name: string): LadingError {
  return new LadingError('ERR_BLOB_MISSING', `image ${jsonLine(name)} has no platform that is complete here`);
}
