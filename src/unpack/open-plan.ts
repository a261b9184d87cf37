import type { ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { throwIfAborted } from '../model/aborted.js';
import type { ImageSource, SourceReader } from '../stores/store.js';
import { oneAmong } from '../survey/one-image.js';
import { bundleFinds } from './bundle.js';
import { chooseManifest } from './choose-manifest.js';
import { planTree, type PlannedTree } from './plan-tree.js';
import type { UnpackOptions } from './unpack-options.js';

/** A plan, and the reader that holds the blobs of its image until it ends. */
export interface OpenPlan {
  readonly reader: SourceReader;
  readonly plan: PlannedTree;
  readonly limits: Limits;
}

/** Plans the tree of the one image that a text means. The caller ends the reader. */
export async function openPlan(source: ImageSource, name: string, options: UnpackOptions): Promise<OpenPlan> {
  throwIfAborted(options.signal, 'unpacking the image');
  const limits = limitsOf(options.limits);
  const record = recordOf(await source.resolve([name]), name);
  const reader = await source.reader();
  try {
    const image = await chooseManifest(reader, record, { ...options, limits });
    const finds = options.bundle === true ? bundleFinds(image) : [];
    return { reader, plan: await planTree(reader, image, { ...options, limits, finds }), limits };
  } catch (error) {
    await reader.end();
    throw error;
  }
}

/** An image that has several names is still one. */
function recordOf(found: readonly ImageRecord[], name: string): ImageRecord {
  const [first] = found;
  const isOne = first !== undefined && found.every(({ descriptor }) => descriptor.digest === first.descriptor.digest);
  return isOne ? first : oneAmong(found, name);
}
