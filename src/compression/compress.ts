import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { LadingError } from '../model/errors.js';
import { check, must, oneOf, optional, optionsOf } from '../model/rules.js';

/** How to pack a whole archive. `level`: 1 to 9 for gzip (default 6), 1 to 19 for zstd (default 3). */
export interface CompressOptions {
  readonly format: 'gzip' | 'zstd';
  readonly level?: number;
}

/** The largest level of each format. zstd has more, which need much memory to unpack, too. */
export const MAX_LEVEL: Readonly<Record<CompressOptions['format'], number>> = { gzip: 9, zstd: 19 };

const LEVEL = must(
  'a whole number from 1 to 19',
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 19,
);

const ARGUMENTS = {
  options: optionsOf<CompressOptions>({ format: oneOf('gzip', 'zstd'), level: optional(LEVEL) }, ['format']),
};

/** Bytes of one chunk that comes out. */
const CHUNK_BYTES = 256 * 1024;

/** What Node has from 22.15 on. Its types are those of an older Node. */
interface WithZstd {
  readonly createZstdCompress?: (options: { chunkSize: number; params: Readonly<Record<number, number>> }) => Transform;
  readonly constants: { readonly ZSTD_c_compressionLevel?: number; readonly ZSTD_c_checksumFlag?: number };
}

/**
 * A stream that packs what is written to it, as one gzip member without a name and time, or one zstd frame with a
 * checksum. The same input gives the same bytes on the same version of Node.js. The work is done on a thread of Node's
 * pool. Holds what the format needs: about 256 KiB for gzip, up to some 100 MiB for zstd at high levels. Throws
 * ERR_OPTION_INVALID, and ERR_COMPRESSION_UNSUPPORTED for zstd on a Node without it.
 */
export function compress(options: CompressOptions): Transform {
  check(ARGUMENTS, { options });
  const { format, level } = options;
  if (level !== undefined && level > MAX_LEVEL[format]) throw wrongLevel(format);
  if (format === 'gzip') return zlib.createGzip({ chunkSize: CHUNK_BYTES, ...(level !== undefined && { level }) });
  const { createZstdCompress, constants } = zlib as WithZstd;
  const { ZSTD_c_compressionLevel: levelKey, ZSTD_c_checksumFlag: checksumKey } = constants;
  if (createZstdCompress === undefined || levelKey === undefined || checksumKey === undefined) throw withoutZstd();
  return createZstdCompress({ chunkSize: CHUNK_BYTES, params: { [levelKey]: level ?? 3, [checksumKey]: 1 } });
}

function wrongLevel(format: CompressOptions['format']): LadingError {
  const message = `level must be a whole number from 1 to ${MAX_LEVEL[format]} for ${format}`;
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'level' } });
}

function withoutZstd(): LadingError {
  const message =
    'this Node.js cannot pack zstd, which needs 22.15 or later; pack by a pipe instead: lading save … | zstd > FILE';
  return new LadingError('ERR_COMPRESSION_UNSUPPORTED', message, { details: { format: 'zstd' } });
}
