import type { ImageDescription } from '../index.js';
import type { ServerContext } from './context.js';
import { described } from './described.js';
import { booleanFilter, labelFilter, type Filters } from './filters.js';
import { findImage } from './find-image.js';
import type { Pace } from './pace.js';
import { labelsOf } from './shapes/image-summary.js';
import { parseTime, unixSeconds } from './times.js';

/** Tests of images by the filters of a request. */
export interface ImageTests {
  /** Whether an image passes every filter that is not about its names. */
  readonly isWanted: (image: ImageDescription) => boolean;
  /** Whether a name came to the store before `until`; `''` stands for an image without a name. */
  readonly isOld: (image: ImageDescription, name: string) => boolean;
}

/** Reads the filters of a request. Looks up the images that `before` and `since` name. */
export async function imageFilter(context: ServerContext, filters: Filters, pace: Pace): Promise<ImageTests> {
  const dangling = booleanFilter(filters, 'dangling');
  const before = await timesOf(context, pace, filters.get('before'));
  const since = await timesOf(context, pace, filters.get('since'));
  const until = (filters.get('until') ?? []).map((text) => parseTime(text, context.now()));
  const hasLabels = labelFilter(filters);
  const isWanted = (image: ImageDescription): boolean => {
    const created = unixSeconds(image.best?.config?.created);
    return (
      (dangling === undefined || dangling === (image.names.length === 0)) &&
      before.every((time) => created < time) &&
      since.every((time) => created > time) &&
      hasLabels(labelsOf(image))
    );
  };
  // As in the containerd store: not when the image was made, but since when the store has it.
  const isOld: ImageTests['isOld'] = ({ stored }, name) =>
    until.every((time) => (stored.get(name) ?? Number.POSITIVE_INFINITY) < time);
  return { isWanted, isOld };
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
