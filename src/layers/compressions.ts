import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { LadingError } from '../model/errors.js';

/** Bytes of the longest magic number. */
export const MAGIC_BYTES = 6;

/** A format that starts with a magic number. `open` gives what unpacks it, or throws ERR_COMPRESSION_UNSUPPORTED. */
export interface Compression {
  readonly name: 'gzip' | 'zstd' | 'xz' | 'bzip2';
  /** The first bytes; undefined for one that varies. */
  readonly magic: readonly (number | undefined)[];
  readonly open: (chunkSize: number) => Transform;
}

const COMPRESSIONS: readonly Compression[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], open: (chunkSize) => zlib.createGunzip({ chunkSize }) },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], open: openZstd },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], open: () => unsupported('xz') },
  // With the start of its first block: three letters alone may begin the name of a tar's first entry.
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68, undefined, 0x31, 0x41], open: () => unsupported('bzip2') },
];

/** What the first bytes of something say it is packed with; undefined for what is packed with nothing that we know. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  return COMPRESSIONS.find(({ magic }) => magic.every((byte, at) => byte === undefined || head[at] === byte));
}

/** Node has zstd from 22.15 on; its type definitions for older releases do not know it. */
function openZstd(chunkSize: number): Transform {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: { chunkSize: number }) => Transform };
  return createZstdDecompress?.({ chunkSize }) ?? unsupported('zstd');
}

function unsupported(name: string): never {
  const command = `${name} -dc`;
  const message = `this Node cannot unpack ${name}; unpack it before: ${command} FILE | lading load`;
  throw new LadingError('ERR_COMPRESSION_UNSUPPORTED', message, { details: { compression: name, command } });
}
