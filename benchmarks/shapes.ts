/** What an image is made of, in bytes of content; a layer's blob is a little larger. */
export interface ImageShape {
  /** One layer that all platforms share; 0: none. */
  readonly baseBytes: number;
  readonly platforms: readonly PlatformShape[];
}

/** A platform and the contents of its own layers. */
export interface PlatformShape {
  readonly name: string;
  readonly layers: readonly number[];
}

/** The platforms of the image that most cases move. */
export const PLATFORMS = [
  'linux/amd64',
  'linux/arm64',
  'linux/arm/v7',
  'linux/arm/v6',
  'linux/386',
  'linux/ppc64le',
  'linux/s390x',
  'linux/riscv64',
] as const;

/** How the bytes of one platform are shared out among its own layers. */
const LAYER_SHARES = [0.6, 0.3, 0.1];

/** The part of an image that all platforms share: files for any processor, such as certificates and time zones. */
const BASE_SHARE = 1 / 40;

/** Makes a blob of 10 KiB together with the tar header, the end of the tar and gzip's frame. */
const SMALL_LAYER_BYTES = 17 * 512;

/** 8 platforms with three layers each and a shared base, of so many bytes together. */
export function wholeImage(bytes: number): ImageShape {
  const baseBytes = Math.round(bytes * BASE_SHARE);
  const layers = LAYER_SHARES.map((part) => Math.round(((bytes - baseBytes) / PLATFORMS.length) * part));
  return { baseBytes, platforms: PLATFORMS.map((name) => ({ name, layers })) };
}

/** 8 platforms that have so many layers of 10 KiB together. */
export function smallBlobs(count: number): ImageShape {
  const platforms = PLATFORMS.map((name, at) => ({
    name,
    layers: Array.from({ length: Math.ceil((count - at) / PLATFORMS.length) }, () => SMALL_LAYER_BYTES),
  }));
  return { baseBytes: 0, platforms };
}

/** So many platforms with one layer of 10 KiB each. */
export function manyPlatforms(count: number): ImageShape {
  const platforms = Array.from({ length: count }, (_, at) => ({
    name: `linux/amd64/v${at + 1}`,
    layers: [SMALL_LAYER_BYTES],
  }));
  return { baseBytes: 0, platforms };
}
