import type { FastifyInstance } from 'fastify';
import { describeImages, LadingError, removeImages } from '../../index.js';
import { audited } from '../audited.js';
import type { ServerContext } from '../context.js';
import { booleanFilter, parseFilters, type Filters } from '../filters.js';
import { imageFilter } from '../image-filter.js';
import { Pace } from '../pace.js';
import { announceRemoval, type Removed } from '../removals.js';
import { PRUNE_SCHEMA } from '../schemas.js';
import { bytesOf } from '../shapes/manifest-summary.js';
import { EngineError, STATUS } from '../statuses.js';

interface PruneRoute {
  readonly Querystring: { readonly filters?: string };
}

const FILTERS = ['dangling', 'label', 'label!', 'until'] as const;

/** `POST /images/prune`: removes images without a name. Leftovers of interrupted loads are left to `lading prune`. */
export function pruneRoute(app: FastifyInstance, context: ServerContext): void {
  app.post<PruneRoute>('/images/prune', { schema: PRUNE_SCHEMA }, async (request) => {
    const filters = parseFilters(request.query.filters, FILTERS);
    const isAll = booleanFilter(filters, 'dangling') === false;
    return await audited(context, request, { action: 'prune', names: [] }, async () => {
      if (isAll && !context.allowPruneAll) throw refusal();
      const { removed, moved, bytes } = await prune(context, filters, isAll);
      context.events.emit('prune', '', { reclaimed: String(bytes) });
      const result = { ImagesDeleted: removed, SpaceReclaimed: bytes };
      return { result, facts: { digests: deletedOf(removed), moved } };
    });
  });
}

interface Pruned extends Removed {
  readonly bytes: number;
}

async function prune(context: ServerContext, filters: Filters, isAll: boolean): Promise<Pruned> {
  const isOther = await imageFilter(context, new Map([...filters].filter(([key]) => key !== 'dangling')), new Pace());
  const going: string[] = [];
  const sizes = new Map<string, number>();
  for await (const image of describeImages(context.store, [], context)) {
    if ((!isAll && image.names.length > 0) || !isOther(image)) continue;
    going.push(image.descriptor.digest);
    image.present.forEach((size, digest) => sizes.set(digest, size));
  }
  const pruned: Pruned[] = [];
  for (const digest of going) pruned.push(await pruneImage(context, digest, { keepNames: !isAll, sizes }));
  return {
    removed: pruned.flatMap(({ removed }) => removed),
    moved: pruned.flatMap(({ moved }) => moved),
    bytes: pruned.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Removes one image. It stays if it got a name meanwhile; if another process removed it, the report is empty. */
async function pruneImage(
  context: ServerContext,
  digest: string,
  { keepNames, sizes }: { readonly keepNames: boolean; readonly sizes: ReadonlyMap<string, number> },
): Promise<Pruned> {
  try {
    const report = await removeImages(context.store, [digest], { keepNames });
    const freed = new Map(report.deleted.map((blob) => [blob, sizes.get(blob) ?? 0]));
    return { ...(await announceRemoval(context, digest, report)), bytes: bytesOf(freed) };
  } catch (error) {
    if (error instanceof LadingError && error.code === 'ERR_IMAGE_UNKNOWN') return { removed: [], moved: [], bytes: 0 };
    throw error;
  }
}

function deletedOf(removed: Removed['removed']): readonly string[] {
  return removed.flatMap((line) => ('Deleted' in line ? [line.Deleted] : []));
}

/** No container runs here, so `prune -a` would remove every image, which its user hardly wants. */
function refusal(): EngineError {
  const message =
    'this server runs no containers, so prune -a would remove every image; to allow that, start it with --allow-prune-all';
  return new EngineError(STATUS.conflict, message);
}
