import type { ImageDescription } from '../index.js';
import type { ServerContext } from './context.js';
import { described } from './described.js';
import { booleanFilter, labelFilter, type Filters } from './filters.js';
import { findImage } from './find-image.js';
import type { Pace } from './pace.js';
import { labelsOf } from './shapes/image-summary.js';
import { parseTime, unixSeconds } from './times.js';

/** Returns a test: does an image pass every filter that is not about its names? */
export async function imageFilter(
  context: ServerContext,
  filters: Filters,
  pace: Pace,
): Promise<(image: ImageDescription) => boolean> {
  const dangling = booleanFilter(filters, 'dangling');
  const before = await timesOf(context, pace, filters.get('before'));
  const since = await timesOf(context, pace, filters.get('since'));
  const until = (filters.get('until') ?? []).map((text) => parseTime(text, context.now()) / 1000);
  const hasLabels = labelFilter(filters);
  return (image) => {
    const created = unixSeconds(image.best?.config?.created);
    return (
      (dangling === undefined || dangling === (image.names.length === 0)) &&
      [...before, ...until].every((time) => created < time) &&
      since.every((time) => created > time) &&
      hasLabels(labelsOf(image))
    );
  };
}

/** Steps of one look-up of an image: it reads the list of images. */
const LOOKUP_STEPS = 50_000;

/** When the named images were created, in seconds since 1970. */
async function timesOf(context: ServerContext, pace: Pace, texts: readonly string[] = []): Promise<readonly number[]> {
  const times: number[] = [];
  for (const text of texts) {
    await pace.take(LOOKUP_STEPS);
    const { record } = await findImage(context.store, text);
    for await (const image of described(context, [record.descriptor.digest])) {
      times.push(unixSeconds(image.best?.config?.created));
    }
  }
  return times;
}
