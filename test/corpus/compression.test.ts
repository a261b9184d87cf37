import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { rawHeader } from '../fixtures/tar-builder.js';
import { baseArchive, joined, loads, repeated, type CorpusCase } from './corpus.js';
import { runFamily } from './run-family.js';

const GIB = 1024 ** 3;

const packed = async (): Promise<Buffer> => gzipSync(await baseArchive());

/** The bytes as gzip; 2 GiB of zeros become 2 MB. */
async function* packedStream(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gzip = createGzip({ level: 1 });
  // A reader that stops destroys gzip, and so this pipeline fails. Only the reader's verdict counts.
  void pipeline(bytes, gzip).catch(() => {});
  yield* gzip;
}

const CASES: readonly CorpusCase[] = [
  ['gzip', loads(), packed],
  [
    'gzip of several members',
    loads(),
    async () => {
      const archive = await baseArchive();
      return Buffer.concat([archive.subarray(0, 1500), archive.subarray(1500)].map((part) => gzipSync(part)));
    },
  ],
  ['gzip cut short', 'ERR_ARCHIVE_TRUNCATED', async () => (await packed()).subarray(0, -9)],
  ['gzip cut in its header', 'ERR_ARCHIVE_TRUNCATED', async () => (await packed()).subarray(0, 5)],
  [
    'gzip with a wrong checksum',
    'ERR_COMPRESSED_DATA',
    async () => {
      const bytes = await packed();
      bytes.writeUInt32LE(0, bytes.length - 8);
      return bytes;
    },
  ],
  [
    'the first bytes of gzip before other bytes',
    'ERR_COMPRESSED_DATA',
    () => Buffer.from([0x1f, 0x8b, 9, 9, ...Buffer.alloc(500, 7)]),
  ],
  ['gzip and bytes behind it', 'ERR_COMPRESSED_DATA', async () => Buffer.concat([await packed(), Buffer.from('more')])],
  ['gzip and zeros behind it', loads(), async () => Buffer.concat([await packed(), Buffer.alloc(512)])],
  [
    'gzip behind zeros behind gzip',
    'ERR_COMPRESSED_DATA',
    async () => Buffer.concat([await packed(), Buffer.alloc(512), await packed()]),
  ],
  [
    'gzip of an archive cut short',
    'ERR_ARCHIVE_TRUNCATED',
    async () => gzipSync((await baseArchive()).subarray(0, -1024)),
  ],
  ['gzip of gzip', 'ERR_ARCHIVE_FORMAT', async () => gzipSync(await packed())],
  ['gzip of 2 GiB of zeros', 'ERR_LIMIT_BYTES', () => () => packedStream(repeated(2 * GIB))],
  [
    'gzip of an entry of 2 GiB of zeros',
    'ERR_LIMIT_RATIO',
    () => () =>
      packedStream(joined(rawHeader({ name: `blobs/sha256/${'0'.repeat(64)}`, size: 2 * GIB }), repeated(2 * GIB))),
  ],
  [
    'zstd with a window of 2 GiB',
    'ERR_COMPRESSION_UNSUPPORTED',
    () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, ...Buffer.alloc(600)]),
  ],
  [
    'the first bytes of xz before zeros',
    'ERR_COMPRESSED_DATA',
    () => Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, ...Buffer.alloc(600)]),
  ],
  [
    'the first bytes of bzip2 before zeros',
    'ERR_COMPRESSED_DATA',
    () => Buffer.concat([Buffer.from('BZh91AY&SY'), Buffer.alloc(600)]),
  ],
];

runFamily('compression', CASES, 16);
