import type { FastifyInstance } from 'fastify';
import { describeImages, parseReference, type ImageDescription } from '../../index.js';
import type { ServerContext } from '../context.js';
import { globMatches, parseFilters, type Filters } from '../filters.js';
import { imageFilter } from '../image-filter.js';
import { isTrue } from '../query.js';
import { IMAGES_SCHEMA } from '../schemas.js';
import { familiarRepository, imageSummaryOf, type ImageSummary } from '../shapes/image-summary.js';

interface ImagesRoute {
  readonly Querystring: { readonly filters?: string; readonly manifests?: string };
}

const FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'] as const;

/** `GET /images/json`: every image once, newest first. */
export function imagesRoute(app: FastifyInstance, context: ServerContext): void {
  app.get<ImagesRoute>('/images/json', { schema: IMAGES_SCHEMA }, async (request) => {
    const filters = parseFilters(request.query.filters, FILTERS);
    const withManifests = request.minor >= 47 && isTrue(request.query.manifests);
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
  const isWanted = await imageFilter(context, filters);
  const summaries: ImageSummary[] = [];
  for await (const image of describeImages(context.store, [], context)) {
    const names = namesIn(image, filters);
    if (names !== undefined && isWanted(image)) summaries.push(imageSummaryOf(image, { ...shape, names }));
  }
  return summaries.sort((a, b) => b.Created - a.Created || (a.Id < b.Id ? -1 : 1));
}

/** The names that pass the reference filter; undefined if none passes, and then neither does the image. */
function namesIn({ names }: ImageDescription, filters: Filters): readonly string[] | undefined {
  const patterns = filters.get('reference') ?? [];
  if (patterns.length === 0) return names;
  const matching = names.filter((name) => {
    const familiar = parseReference(name).familiar();
    return patterns.some(
      (pattern) => globMatches(pattern, familiar) || globMatches(pattern, familiarRepository(familiar)),
    );
  });
  return matching.length === 0 ? undefined : matching;
}
