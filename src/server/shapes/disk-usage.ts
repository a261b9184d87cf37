import type { ImageDescription } from '../../index.js';
import type { ImageSummary } from './image-summary.js';
import { bytesOf } from './manifest-summary.js';

/** The parts of an image that count. */
export type UsedImage = Pick<ImageDescription, 'names' | 'present'>;

/** The request. No type means every type. */
export interface DiskUsageOptions {
  readonly minor: number;
  readonly types: readonly string[];
  readonly isVerbose: boolean;
}

/** `GET /system/df`: from API 1.52 one object for each kind, and unless it is verbose the older fields too. */
export function diskUsageOf(
  images: readonly UsedImage[],
  summaries: readonly ImageSummary[],
  { minor, types, isVerbose }: DiskUsageOptions,
): object {
  const isWanted = (type: string): boolean => types.length === 0 || types.includes(type);
  const bytes = bytesOf(new Map(images.flatMap(({ present }) => [...present])));
  const usage = {
    ...(isWanted('image') && { ImageUsage: imageUsage(images, summaries, bytes, isVerbose) }),
    ...(isWanted('container') && { ContainerUsage: NOTHING }),
    ...(isWanted('volume') && { VolumeUsage: NOTHING }),
    ...(isWanted('build-cache') && { BuildCacheUsage: NOTHING }),
  };
  if (minor >= 52 && isVerbose) return usage;
  return {
    ...(minor >= 52 && usage),
    ...(isWanted('image') && { LayersSize: bytes, Images: summaries }),
    ...(isWanted('container') && { Containers: [] }),
    ...(isWanted('volume') && { Volumes: [] }),
    ...(isWanted('build-cache') && { BuildCache: [], ...(minor < 42 && { BuilderSize: 0 }) }),
  };
}

const NOTHING = { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 };

/** No container uses an image here. `Reclaimable` is what a prune would free: blobs that only unnamed images need. */
function imageUsage(
  images: readonly UsedImage[],
  summaries: readonly ImageSummary[],
  bytes: number,
  isVerbose: boolean,
): object {
  const named = new Set(images.filter(({ names }) => names.length > 0).flatMap(({ present }) => [...present.keys()]));
  const free = images.flatMap(({ present }) => [...present]).filter(([digest]) => !named.has(digest));
  return {
    ActiveCount: 0,
    TotalCount: images.length,
    Reclaimable: bytesOf(new Map(free)),
    TotalSize: bytes,
    ...(isVerbose && { Items: summaries }),
  };
}
