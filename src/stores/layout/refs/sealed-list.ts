import { ANNOTATIONS } from '../../../model/descriptor.js';
import { digestOf } from '../../../model/digest.js';
import { imageIndexOf, type ImageRecord } from '../../../model/image-list.js';

/**
 * The bytes of a list of images, with their own digest as the last annotation. This seal shows that an `index.json` is
 * ours, however old; after an edit by another program it does not match.
 */
export function sealedList(records: readonly ImageRecord[]): Buffer {
  const bare = Buffer.from(JSON.stringify(imageIndexOf(records)));
  return Buffer.concat([withoutBrace(bare), sealOf(bare)]);
}

/** Whether the bytes are a sealed list without later changes. */
export function isSealed(bytes: Buffer): boolean {
  const body = bytes.subarray(0, Math.max(0, bytes.length - SEAL_BYTES));
  const bare = Buffer.concat([body, Buffer.from('}')]);
  return bytes.subarray(body.length).equals(sealOf(bare));
}

function sealOf(bare: Buffer): Buffer {
  return Buffer.from(`,"annotations":${JSON.stringify({ [ANNOTATIONS.listDigest]: digestOf(bare) })}}`);
}

const SEAL_BYTES = sealOf(Buffer.alloc(0)).length;

function withoutBrace(bare: Buffer): Buffer {
  return bare.subarray(0, -1);
}
