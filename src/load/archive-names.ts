import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { parseImageName } from '../model/reference.js';

/** The full name of an image in the archive. Throws ERR_REFERENCE_INVALID if that is not a valid name. */
export function nameOf({ annotations, digest }: Descriptor): string | undefined {
  const full = annotations?.[ANNOTATIONS.imageName];
  if (full !== undefined && full !== '' && full !== NO_NAME) return checkedName(full, digest);
  const short = annotations?.[ANNOTATIONS.refName];
  // A bare tag such as `latest` does not say which repository it belongs to.
  if (short === undefined || short === NO_NAME || !/[/:@]/.test(short)) return undefined;
  try {
    return checkedName(short, digest);
  } catch {
    return undefined;
  }
}

const NO_NAME = '<none>:<none>';

function checkedName(text: string, digest: Digest): string {
  const reference = parseImageName(text);
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(text)} has another digest than its image, ${digest}`);
  }
  return reference.toString();
}

/** One target for each name and for each unnamed digest. Throws ERR_NAME_DUPLICATE if two images have one name. */
export function withoutRepeats(targets: readonly ImageRecord[]): readonly ImageRecord[] {
  const kept = new Map<string, ImageRecord>();
  for (const target of targets) {
    const key = target.name ?? target.descriptor.digest;
    const known = kept.get(key);
    if (known !== undefined && known.descriptor.digest !== target.descriptor.digest)
      throw duplicate(key, known, target);
    kept.set(key, target);
  }
  return [...kept.values()];
}

function duplicate(name: string, a: ImageRecord, b: ImageRecord): LadingError {
  const digests = [a.descriptor.digest, b.descriptor.digest];
  const message = `the archive gives the name ${quote(name)} to two images, ${digests.join(' and ')}`;
  return new LadingError('ERR_NAME_DUPLICATE', message, { details: { name, digests } });
}
