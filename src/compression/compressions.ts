import type { Transform } from 'node:stream';
import type { Limits } from '../model/limits.js';
import { Bunzip2 } from './bunzip2.js';
import { Gunzip } from './gunzip.js';
import { Unxz } from './unxz.js';
import { Unzstd } from './unzstd.js';

/** Bytes of the longest magic number. */
export const MAGIC_BYTES = 10;

/** A compression of archives and layers. */
export type CompressionName = 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** A format that starts with a magic number. */
export interface Compression {
  readonly name: CompressionName;
  /**
   * Unpacks every member, frame or stream, and judges what is behind the last. Its errors have messages that follow the
   * name of what is unpacked: ERR_COMPRESSED_DATA, ERR_ARCHIVE_TRUNCATED, ERR_COMPRESSION_UNSUPPORTED.
   */
  readonly open: (limits: Limits) => Transform;
}

/** The first bytes; undefined for a byte that varies. */
type Magic = readonly (number | undefined)[];

/** "BZh" and the level. */
const BZH = [0x42, 0x5a, 0x68, undefined] as const;

const COMPRESSIONS: readonly (Compression & { readonly magics: readonly Magic[] })[] = [
  { name: 'gzip', magics: [[0x1f, 0x8b]], open: () => new Gunzip() },
  { name: 'zstd', magics: [[0x28, 0xb5, 0x2f, 0xfd], ...skippable()], open: (limits) => new Unzstd(limits) },
  { name: 'xz', magics: [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]], open: () => new Unxz() },
  {
    name: 'bzip2',
    // Includes the start of the first block, or of the end where there is none: the name of a tar's first entry may
    // begin with the same three letters. One of these two bytes may be damaged.
    magics: [
      [...BZH, 0x31, 0x41],
      [...BZH, 0x17, 0x72],
      [...BZH, undefined, 0x41, 0x59, 0x26, 0x53, 0x59],
      [...BZH, 0x31, undefined, 0x59, 0x26, 0x53, 0x59],
      [...BZH, undefined, 0x72, 0x45, 0x38, 0x50, 0x90],
      [...BZH, 0x17, undefined, 0x45, 0x38, 0x50, 0x90],
    ],
    open: () => new Bunzip2(),
  },
];

/** The compression that these first bytes show; undefined if they show none that we know. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const starts = (magic: Magic): boolean => magic.every((byte, at) => byte === undefined || head[at] === byte);
  return COMPRESSIONS.find(({ magics }) => magics.some(starts));
}

/** The magic numbers of zstd's skippable frames, which may stand before the first frame of data. */
function skippable(): readonly Magic[] {
  return Array.from({ length: 16 }, (_, at) => [0x50 + at, 0x2a, 0x4d, 0x18]);
}
