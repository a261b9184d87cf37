import type { FastifyInstance } from 'fastify';
import { described } from '../described.js';

import { NEWEST_VERSION } from '../api-version.js';
import type { ServerContext } from '../context.js';
import { isTrue } from '../query.js';
import { DF_SCHEMA, INFO_SCHEMA, PING_SCHEMA, VERSION_SCHEMA } from '../schemas.js';
import { infoOf, versionOf } from '../shapes/about.js';
import { diskUsageOf, type UsedImage } from '../shapes/disk-usage.js';
import { imageSummaryOf, type ImageSummary } from '../shapes/image-summary.js';
import { EngineError, STATUS } from '../statuses.js';

interface DiskUsageRoute {
  readonly Querystring: { readonly type?: readonly string[]; readonly verbose?: string };
}

/** `GET|HEAD /_ping`, `GET /version`, `/info`, `/system/df`. */
export function systemRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get('/_ping', { schema: PING_SCHEMA }, async (_request, reply) => {
    return await reply
      .headers({
        'Cache-Control': 'no-cache, no-store, must-revalidate',
        Pragma: 'no-cache',
        'Builder-Version': '1',
        'Docker-Experimental': 'false',
        Swarm: 'inactive',
        'Api-Version': NEWEST_VERSION,
      })
      .type('text/plain; charset=utf-8')
      .send('OK');
  });
  app.get('/version', { schema: VERSION_SCHEMA }, async () => versionOf());
  app.get('/info', { schema: INFO_SCHEMA }, async ({ minor }) =>
    infoOf({ images: (await context.store.list()).length, now: context.now(), minor }),
  );
  app.get<DiskUsageRoute>('/system/df', { schema: DF_SCHEMA }, async ({ query, minor }) => {
    const shape = { minor, types: typesIn(query.type, minor), isVerbose: isTrue(query.verbose) };
    return await context.answers.gather(async () => await useOfDisk(context, shape));
  });
}

async function useOfDisk(
  context: ServerContext,
  shape: { readonly minor: number; readonly types: readonly string[]; readonly isVerbose: boolean },
): Promise<ReturnType<typeof diskUsageOf>> {
  const images: UsedImage[] = [];
  const summaries: ImageSummary[] = [];
  for await (const image of described(context)) {
    const { names, present } = image;
    // Only these fields are kept: the documents of an image are freed before the next one.
    images.push({ names, present });
    summaries.push(imageSummaryOf(image, { minor: shape.minor, names, withManifests: false }));
  }
  return diskUsageOf(images, summaries, shape);
}

const TYPES = ['container', 'image', 'volume', 'build-cache'];

/** The requested types of objects; none before API 1.42, which has no such parameter. Throws an EngineError. */
function typesIn(types: readonly string[] = [], minor: number): readonly string[] {
  if (minor < 42) return [];
  const unknown = types.find((type) => !TYPES.includes(type));
  if (unknown !== undefined) throw new EngineError(STATUS.badRequest, `unknown object type: ${unknown}`);
  return types;
}
