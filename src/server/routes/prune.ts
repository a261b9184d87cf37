import type { FastifyInstance } from 'fastify';
import { LadingError, removeImages } from '../../index.js';
import { audited } from '../audited.js';
import type { ServerContext } from '../context.js';
import { described } from '../described.js';
import { booleanFilter, parseFilters, type Filters } from '../filters.js';
import { imageFilter } from '../image-filter.js';
import { Pace } from '../pace.js';
import { announceRemoval, type Removed } from '../removals.js';
import { PRUNE_SCHEMA } from '../schemas.js';
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
      const { removed, moved, bytes, roots } = await prune(context, filters, isAll);
      context.events.emit('prune', '', { reclaimed: String(bytes) });
      const result = { ImagesDeleted: removed, SpaceReclaimed: bytes };
      return { result, facts: { digests: roots, moved } };
    });
  });
}

interface Pruned extends Removed {
  readonly bytes: number;
  /** The images that are gone. */
  readonly roots: readonly string[];
}

const NOTHING: Pruned = { removed: [], moved: [], bytes: 0, roots: [] };

/** An image to prune, and all of its manifests. */
interface Going {
  readonly digest: string;
  readonly manifests: readonly string[];
}

async function prune(context: ServerContext, filters: Filters, isAll: boolean): Promise<Pruned> {
  const { isWanted, isOld } = await imageFilter(
    context,
    new Map([...filters].filter(([key]) => key !== 'dangling')),
    new Pace(),
  );
  const going: Going[] = [];
  for await (const image of described(context)) {
    const { names, manifests, descriptor } = image;
    if ((!isAll && names.length > 0) || !isWanted(image)) continue;
    if (!(names.length === 0 ? [''] : names).every((name) => isOld(image, name))) continue;
    going.push({ digest: descriptor.digest, manifests: manifests.map((manifest) => manifest.descriptor.digest) });
  }
  const pruned: Pruned[] = [];
  for (const image of going) pruned.push(await pruneImage(context, image, !isAll));
  return {
    removed: pruned.flatMap(({ removed }) => removed),
    moved: pruned.flatMap(({ moved }) => moved),
    bytes: pruned.reduce((sum, { bytes }) => sum + bytes, 0),
    roots: pruned.flatMap(({ roots }) => roots),
  };
}

/** Removes one image. It stays if it got a name meanwhile; if another process removed it, the report is empty. */
async function pruneImage(context: ServerContext, { digest, manifests }: Going, keepNames: boolean): Promise<Pruned> {
  try {
    const report = await removeImages(context.store, [digest], { keepNames });
    const { removed, moved } = await announceRemoval(context, digest, report);
    const isGone = removed.some((line) => 'Deleted' in line);
    if (!isGone) return { ...NOTHING, removed, moved };
    const deleted = new Set<string>(report.deleted);
    const parts = [...new Set(manifests)].filter((manifest) => manifest !== digest && deleted.has(manifest));
    return {
      // An image without a name goes by its digest, as in the Engine.
      removed: [
        ...(report.untagged.length === 0 ? [{ Untagged: digest }] : []),
        ...removed,
        ...parts.map((Deleted) => ({ Deleted })),
      ],
      moved,
      bytes: report.bytes,
      roots: [digest],
    };
  } catch (error) {
    if (error instanceof LadingError && error.code === 'ERR_IMAGE_UNKNOWN') return NOTHING;
    throw error;
  }
}

/** No container runs here, so `prune -a` would remove every image, which its user hardly wants. */
function refusal(): EngineError {
  const message =
    'this server runs no containers, so prune -a would remove every image; to allow that, start it with --allow-prune-all';
  return new EngineError(STATUS.conflict, message);
}
