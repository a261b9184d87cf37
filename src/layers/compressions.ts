import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { LadingError } from '../model/errors.js';

/** Bytes of the longest magic number. */
export const MAGIC_BYTES = 6;

/** A format that starts with a magic number. `open` returns its decompressor, or throws ERR_COMPRESSION_UNSUPPORTED. */
export interface Compression {
  readonly name: 'gzip' | 'zstd' | 'xz' | 'bzip2';
  /** The first bytes; undefined for a byte that varies. */
  readonly magic: readonly (number | undefined)[];
  readonly open: (chunkSize: number) => Transform;
}

const COMPRESSIONS: readonly Compression[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], open: (chunkSize) => zlib.createGunzip({ chunkSize }) },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], open: openZstd },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], open: () => unsupported('xz') },
  // Includes the start of its first block: the name of a tar's first entry may begin with the same three letters.
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68, undefined, 0x31, 0x41], open: () => unsupported('bzip2') },
];

/** The compression that these first bytes show; undefined if they show none that we know. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  return COMPRESSIONS.find(({ magic }) => magic.every((byte, at) => byte === undefined || head[at] === byte));
}

/** Node has zstd from 22.15 on; the type definitions of older releases lack it. */
function openZstd(chunkSize: number): Transform {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: { chunkSize: number }) => Transform };
  return createZstdDecompress?.({ chunkSize }) ?? unsupported('zstd');
}

function unsupported(name: string): never {
  const command = `${name} -dc`;
  const message = `this Node cannot unpack ${name}; unpack it first: ${command} FILE | lading load`;
  throw new LadingError('ERR_COMPRESSION_UNSUPPORTED', message, { details: { compression: name, command } });
}
