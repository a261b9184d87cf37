import type { FastifyInstance } from 'fastify';
import { Documents } from '../../content/documents.js';
import { DEFAULT_LIMITS, LadingError, type Descriptor, type ImageSource, type Platform } from '../../index.js';
import { isIndexType } from '../../model/media-types.js';
import { parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import type { Named, ServerContext } from '../context.js';
import { withRegistry } from '../registry-access.js';
import { distributionFailure } from '../registry-failures.js';
import { asEngineError, shownName } from '../registry-transfer.js';
import { DISTRIBUTION_SCHEMA } from '../registry-schemas.js';
import { EngineError, STATUS } from '../statuses.js';

/** `GET /distribution/{name}/json`: what a name means in its registry. */
export function distributionRoute(app: FastifyInstance, context: ServerContext): void {
  app.get<Named>('/distribution/:name/json', { schema: DISTRIBUTION_SCHEMA }, async (request, reply) => {
    const { name } = request.params;
    if (/^(?:sha(?:256|384|512):)?[0-9a-f]{64,128}$/.test(name))
      throw new EngineError(STATUS.badRequest, 'an id is in no registry; give a name with a tag or a digest');
    const reference = parseRegistryReference(name).withDefaultTag();
    const { host } = repositoryOf(reference);
    try {
      return await withRegistry(context, { request, reply, host }, async ({ registries }) => {
        return await describe(registries.source(), reference.toString());
      });
    } catch (error) {
      throw asEngineError(error, distributionFailure(shownName(reference)));
    }
  });
}

async function describe(source: ImageSource, name: string): Promise<object> {
  const [record] = await source.resolve([name]);
  if (record === undefined)
    throw new LadingError('ERR_IMAGE_UNKNOWN', `no image ${name}`, { details: { image: name } });
  const { mediaType, digest, size } = record.descriptor;
  return { Descriptor: { mediaType, digest, size }, Platforms: await platformsOf(source, record.descriptor) };
}

/** The platforms that an index lists, or the one that the config of a manifest names. */
async function platformsOf(source: ImageSource, descriptor: Descriptor): Promise<readonly object[]> {
  const documents = new Documents(source, { limits: DEFAULT_LIMITS });
  if (isIndexType(descriptor.mediaType)) {
    const index = await documents.index(descriptor);
    return (index?.manifests ?? []).flatMap(({ platform }) => (platform === undefined ? [] : [shapeOf(platform)]));
  }
  const manifest = await documents.manifest(descriptor);
  const { os, architecture, ...rest } = (manifest && (await documents.imageConfig(manifest))) ?? {};
  return os === undefined || architecture === undefined ? [] : [shapeOf({ os, architecture, ...rest })];
}

function shapeOf({ architecture, os, variant, 'os.version': version }: Platform): object {
  return {
    architecture,
    os,
    ...(version !== undefined && version !== '' && { 'os.version': version }),
    ...(variant !== undefined && variant !== '' && { variant }),
  };
}
