import type { Digest } from '../model/digest.js';
import { bytesOfBlobs, totalBytes } from '../model/content.js';
import type { ImageInspection, PlatformInspection } from './inspect-images.js';

/** One platform of one inspected image. */
export interface InspectionRow {
  readonly image: ImageInspection;
  readonly platform: PlatformInspection;
}

/** A layer that several platforms use, of one image or of several. */
export interface SharedLayer {
  /** A to Z, then AA and so on: the layer that saves most is A. */
  readonly letter: string;
  readonly digest: Digest;
  readonly size: number;
  /** How many platforms use it. */
  readonly platforms: number;
  /** Bytes that are stored once instead of for each of these platforms. */
  readonly savedBytes: number;
  readonly createdBy?: string;
}

/** Figures of everything that was inspected together. Sizes are in bytes. */
export interface InspectionSummary {
  readonly platforms: { readonly listed: number; readonly complete: number };
  /** Of all manifests, configs and layers, each once, as far as the manifests are here. */
  readonly bytes: number;
  /** What sharing layers saves. */
  readonly savedBytes: number;
  readonly missing: { readonly count: number; readonly bytes: number };
}

/** The platforms of all images, in order. */
export function rowsOf(images: readonly ImageInspection[]): readonly InspectionRow[] {
  return images.flatMap((image) => image.platforms.map((platform) => ({ image, platform })));
}

/** The layers that several rows use, those that save most first. Holds one record for each distinct layer. */
export function sharedLayersOf(rows: readonly InspectionRow[]): readonly SharedLayer[] {
  const users = new Map<Digest, { size: number; platforms: number; createdBy: string | undefined }>();
  for (const { platform } of rows) {
    for (const [digest, { size, createdBy }] of new Map(platform.layers?.map((layer) => [layer.digest, layer]))) {
      const known = users.get(digest);
      const platforms = (known?.platforms ?? 0) + 1;
      users.set(digest, { size, platforms, createdBy: known?.createdBy ?? createdBy });
    }
  }
  return [...users]
    .filter(([, { platforms }]) => platforms > 1)
    .map(([digest, { size, platforms, createdBy }]) => ({
      digest,
      size,
      platforms,
      savedBytes: size * (platforms - 1),
      ...(createdBy !== undefined && { createdBy }),
    }))
    .toSorted((a, b) => b.savedBytes - a.savedBytes)
    .map((layer, at) => ({ letter: letterOf(at), ...layer }));
}

/** A for 0, Z for 25, AA for 26. */
function letterOf(at: number): string {
  const [rest, last] = [Math.floor(at / LETTERS.length), LETTERS[at % LETTERS.length] ?? ''];
  return rest === 0 ? last : letterOf(rest - 1) + last;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The figures of all rows together. */
export function summaryOf(rows: readonly InspectionRow[], shared: readonly SharedLayer[]): InspectionSummary {
  const blobs = new Map<Digest, number>();
  const missing = new Map<Digest, number>();
  for (const { platform } of rows) {
    for (const { digest, size, state } of blobsOfRow(platform)) {
      if (state !== 'foreign') blobs.set(digest, size);
      if (state === 'missing') missing.set(digest, size);
    }
  }
  return {
    platforms: { listed: rows.length, complete: rows.filter(({ platform }) => platform.state === 'complete').length },
    bytes: bytesOfBlobs(blobs),
    savedBytes: totalBytes(shared.map(({ savedBytes }) => savedBytes)),
    missing: { count: missing.size, bytes: bytesOfBlobs(missing) },
  };
}

function blobsOfRow({ manifest, config, layers = [] }: PlatformInspection) {
  return [manifest, config, ...layers].filter((blob) => blob !== undefined);
}
