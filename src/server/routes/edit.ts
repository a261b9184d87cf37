import type { FastifyInstance } from 'fastify';
import { manifestsFor, parseReference, removeImages, removePlatforms, tagImage } from '../../index.js';
import { audited } from '../audited.js';
import type { Named, ServerContext } from '../context.js';
import { decisionsOf } from '../decisions.js';
import { described } from '../described.js';
import { findImage, type FoundImage } from '../find-image.js';
import { isTrue, platformsOf } from '../query.js';
import { announceRemoval, type Removed } from '../removals.js';
import { REMOVE_SCHEMA, TAG_SCHEMA } from '../schemas.js';
import { shortId } from '../short-id.js';
import { EngineError, STATUS } from '../statuses.js';

interface TagRoute extends Named {
  readonly Querystring: { readonly repo?: string; readonly tag?: string };
}

interface RemoveRoute extends Named {
  readonly Querystring: { readonly force?: string; readonly platforms?: readonly string[] };
}

/** `POST /images/{name}/tag` and `DELETE /images/{name}`. */
export function editRoutes(app: FastifyInstance, context: ServerContext): void {
  app.post<TagRoute>('/images/:name/tag', { schema: TAG_SCHEMA }, async (request, reply) => {
    const { repo = '', tag } = request.query;
    const target = tag === undefined || tag === '' ? repo : `${repo}:${tag}`;
    const asked = { action: 'tag', names: [request.params.name, target] } as const;
    await audited(context, request, asked, async () => {
      const { text } = await findImage(context.store, request.params.name);
      const { policy } = context.trust;
      const { name, digest, moved, trust } = await tagImage(context.store, text, target, { ...(policy && { policy }) });
      context.events.emit('tag', digest, { name: parseReference(name).familiar() });
      return { result: undefined, facts: { digests: [digest], moved, ...decisionsOf(trust) } };
    });
    return await reply.code(STATUS.created).send();
  });
  app.delete<RemoveRoute>('/images/:name', { schema: REMOVE_SCHEMA }, async (request) => {
    const { force, platforms = [] } = request.query;
    const isForced = isTrue(force);
    const wanted = request.minor >= 50 ? platforms : [];
    const asked = { action: 'delete', names: [request.params.name] } as const;
    return await audited(context, request, asked, async () => {
      const found = await findImage(context.store, request.params.name);
      const { removed, moved } =
        wanted.length > 0
          ? await removeSome(context, found, wanted, isForced)
          : await removeWhole(context, found, isForced);
      return { result: removed, facts: { digests: [found.record.descriptor.digest], moved } };
    });
  });
}

/** Removes a name, and with its last name the image. An id removes all names of the image; several need `force`. */
async function removeWhole(context: ServerContext, found: FoundImage, isForced: boolean): Promise<Removed> {
  const { digest } = found.record.descriptor;
  const names = (await context.store.list()).filter(
    ({ name, descriptor }) => name !== undefined && descriptor.digest === digest,
  );
  if (found.isById && !isForced && names.length > 1) {
    const message = `conflict: unable to delete ${shortId(digest)} (must be forced) - image is referenced in multiple repositories`;
    throw new EngineError(STATUS.conflict, message);
  }
  return await announceRemoval(context, digest, await removeImages(context.store, [found.text]));
}

/** Removes the content of some platforms. */
async function removeSome(
  context: ServerContext,
  found: FoundImage,
  texts: readonly string[],
  isForced: boolean,
): Promise<Removed> {
  const { digest } = found.record.descriptor;
  if (!isForced) {
    const message = 'conflict: unable to remove the content of single platforms (must be forced)';
    throw new EngineError(STATUS.badRequest, message);
  }
  const platforms = platformsOf(texts);
  const going: string[] = [];
  for await (const image of described(context, [digest])) {
    for (const platform of platforms)
      going.push(...manifestsFor(image, platform).map(({ descriptor }) => descriptor.digest));
  }
  const { moved } = await removePlatforms(context.store, found.text, platforms, { hostPlatform: context.hostPlatform });
  for (const manifest of going) context.events.emit('delete', manifest, { name: manifest });
  return { removed: [...new Set(going)].map((Deleted) => ({ Deleted })), moved };
}
