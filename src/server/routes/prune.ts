import type { FastifyInstance } from 'fastify';
import { describeImages, parseReference, removeImages, type NameMove } from '../../index.js';
import type { ServerContext } from '../context.js';
import { booleanFilter, parseFilters, type Filters } from '../filters.js';
import { PRUNE_SCHEMA } from '../schemas.js';
import { bytesOf } from '../shapes/manifest-summary.js';
import { EngineError, STATUS } from '../statuses.js';
import { audited, type Removal } from './edit.js';
import { imageFilter } from './images.js';

interface PruneRoute {
  readonly Querystring: { readonly filters?: string };
}

const FILTERS = ['dangling', 'label', 'label!', 'until'] as const;

/** `POST /images/prune`: images without a name. Leftovers of loads that did not end are `lading prune`'s. */
export function pruneRoute(app: FastifyInstance, context: ServerContext): void {
  app.post<PruneRoute>('/images/prune', { schema: PRUNE_SCHEMA }, async (request) => {
    const filters = parseFilters(request.query.filters, FILTERS);
    const isAll = booleanFilter(filters, 'dangling') === false;
    let pruned: Pruned = { removed: [], moved: [], bytes: 0 };
    await audited(context, request, 'prune', [], async () => {
      if (isAll && !context.allowPruneAll) throw refusal();
      pruned = await prune(context, filters, isAll);
      context.events.emit('prune', '', { reclaimed: String(pruned.bytes) });
      return { digests: deletedOf(pruned), moved: pruned.moved };
    });
    return { ImagesDeleted: pruned.removed, SpaceReclaimed: pruned.bytes };
  });
}

interface Pruned {
  readonly removed: readonly Removal[];
  readonly moved: readonly NameMove[];
  readonly bytes: number;
}

async function prune(context: ServerContext, filters: Filters, isAll: boolean): Promise<Pruned> {
  const isOther = await imageFilter(context, new Map([...filters].filter(([key]) => key !== 'dangling')));
  const going: string[] = [];
  const sizes = new Map<string, number>();
  for await (const image of describeImages(context.store, [], context)) {
    if ((!isAll && image.names.length > 0) || !isOther(image)) continue;
    going.push(image.descriptor.digest);
    image.present.forEach((size, digest) => sizes.set(digest, size));
  }
  if (going.length === 0) return { removed: [], moved: [], bytes: 0 };
  const { untagged, moved, deleted } = await removeImages(context.store, going, { keepNames: !isAll });
  const freed = new Map(deleted.map((digest) => [digest, sizes.get(digest) ?? 0]));
  for (const { name, from } of moved) context.events.emit('untag', from ?? '', { name: familiar(name) });
  for (const digest of going) context.events.emit('delete', digest, { name: digest });
  const removed = [...untagged.map((name) => ({ Untagged: familiar(name) })), ...going.map((Deleted) => ({ Deleted }))];
  return { removed, moved, bytes: bytesOf(freed) };
}

function familiar(name: string): string {
  return parseReference(name).familiar();
}

function deletedOf({ removed }: Pruned): readonly string[] {
  return removed.flatMap((line) => ('Deleted' in line ? [line.Deleted] : []));
}

/** No container runs here, so that "unused by any container" is true of every image: nobody means that by `prune -a`. */
function refusal(): EngineError {
  const message =
    'this server runs no containers, so that prune -a would remove every image; start it with --allow-prune-all if that is meant';
  return new EngineError(STATUS.conflict, message);
}
