import type { FastifyInstance } from 'fastify';
import { described } from '../described.js';

import type { ServerContext } from '../context.js';
import { parseFilters, type Filters } from '../filters.js';
import { imageFilter } from '../image-filter.js';
import { nameFilter } from '../name-filter.js';
import { Pace } from '../pace.js';
import { isTrue } from '../query.js';
import { IMAGES_SCHEMA } from '../schemas.js';
import { imageSummaryOf, type ImageSummary } from '../shapes/image-summary.js';

interface ImagesRoute {
  readonly Querystring: { readonly filters?: string; readonly manifests?: string; readonly identity?: string };
}

const FILTERS = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'] as const;

/** `GET /images/json`: every image once, newest first. */
export function imagesRoute(app: FastifyInstance, context: ServerContext): void {
  app.get<ImagesRoute>('/images/json', { schema: IMAGES_SCHEMA }, async (request) => {
    const filters = parseFilters(request.query.filters, FILTERS);
    const { manifests, identity } = request.query;
    const withManifests = (request.minor >= 47 && isTrue(manifests)) || (request.minor >= 54 && isTrue(identity));
    const shape = { minor: request.minor, withManifests };
    return await context.answers.gather(async () => await listImages(context, filters, shape));
  });
}

/** The images that pass the filters, newest first; by digest if their times are equal. */
async function listImages(
  context: ServerContext,
  filters: Filters,
  shape: { readonly minor: number; readonly withManifests: boolean },
): Promise<readonly ImageSummary[]> {
  const pace = new Pace();
  const namesIn = nameFilter(filters, pace);
  const { isWanted, isOld } = await imageFilter(context, filters, pace);
  const summaries: ImageSummary[] = [];
  for await (const image of described(context)) {
    if (!isWanted(image)) continue;
    const passing = await namesIn(image.names);
    const names = passing?.filter((name) => isOld(image, name));
    const isShown = image.names.length === 0 ? names !== undefined && isOld(image, '') : names?.length !== 0;
    if (names !== undefined && isShown) summaries.push(imageSummaryOf(image, { ...shape, names }));
  }
  return summaries.sort((a, b) => b.Created - a.Created || (a.Id < b.Id ? -1 : 1));
}
