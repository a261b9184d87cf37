import { LadingError } from '../../model/errors.js';
import { freeTarget } from '../../stores/rootfs/rootfs-target.js';
import type { Store } from '../../stores/store.js';
import type { ImageReport } from '../../survey/reports.js';
import { ownershipOf } from '../../unpack/directory-plan.js';
import type { UnpackReport } from '../../unpack/report-shapes.js';
import { unpackImage } from '../../unpack/unpack-image.js';
import type { UnpackOptions } from '../../unpack/unpack-options.js';
import { unpackChoices, type UnpackChoices } from './unpack-choices.js';

/** The directory that `load --unpack` makes, and its options. */
export interface LoadUnpackOptions extends UnpackChoices {
  readonly unpack: string;
  readonly platform?: readonly string[];
}

/** What follows a load. */
export type UnpackLoaded = (store: Store, images: readonly ImageReport[], signal: AbortSignal) => Promise<UnpackReport>;

/** Checks the target and the options before anything is loaded. Returns what makes the directory afterwards. */
export async function prepareUnpack({ unpack: directory, platform = [], ...choices }: LoadUnpackOptions) {
  if (directory === '-')
    throw wrong('load --unpack makes a directory; for a tar, load and then use lading unpack IMAGE -');
  if (platform.length > 1) throw wrong('load --unpack takes one platform; name it with --platform, or none for local');
  const [wanted] = platform;
  const options = { ...unpackChoices(choices), ...(wanted !== undefined && { platform: wanted }) };
  ownershipOf(options);
  await freeTarget(directory);
  const unpackLoaded: UnpackLoaded = async (store, images, signal) =>
    await unpackOne(store, images, directory, { ...options, signal });
  return unpackLoaded;
}

async function unpackOne(
  store: Store,
  images: readonly ImageReport[],
  directory: string,
  options: UnpackOptions,
): Promise<UnpackReport> {
  const [first, ...others] = images;
  if (first === undefined || others.some(({ digest }) => digest !== first.digest)) {
    throw wrong(`${images.length} images were loaded and none was unpacked; choose one with --image NAME`);
  }
  try {
    return await unpackImage(store, first.name ?? first.digest, directory, options);
  } catch (error) {
    if (!(error instanceof LadingError)) throw error;
    const { code, message, details } = error;
    const loaded = images.map(({ name, digest }) => name ?? digest);
    throw new LadingError(code, `${message}; the image was loaded`, { details: { ...details, loaded }, cause: error });
  }
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: '--unpack' } });
}
