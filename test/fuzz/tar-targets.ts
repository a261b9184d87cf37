import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { digestOf } from '../../src/model/digest.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { parsePaxRecords } from '../../src/model/pax-records.js';
import { Decompress } from '../../src/stages/decompress.js';
import type { ArchiveEntry } from '../../src/stages/records.js';
import { TarExtract } from '../../src/stages/tar-extract.js';
import { TarGuard } from '../../src/stages/tar-guard.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { endBlocks, rawEntry, rawHeader } from '../fixtures/tar-builder.js';
import { cut } from '../stages/bodies.js';
import { base256, longName, pax, paxRecord } from '../stages/tar-extensions.js';
import { listWithGnuTar } from './gnu-tar.js';
import { readReferenceTar, type SeenEntry } from './reference-tar.js';
import { withRightChecksums } from './tar-checksums.js';
import { mutationsOf, resultOf, type FuzzTarget } from './target.js';

/** GNU tar checks one of this many accepted archives. */
const GNU_TAR_ONE_IN = 200;

const SEEDS = [
  [rawEntry({ name: 'file' }, 'content'), rawHeader({ name: 'folder/', typeflag: '5' })],
  [
    rawEntry({ name: 'name', prefix: 'a/prefix' }, Buffer.alloc(600, 'x')),
    rawEntry({ name: 'old', typeflag: '\0' }, 'x'),
  ],
  [pax({ path: 'ä/long', size: '7', mtime: '1.5' }), rawEntry({ name: 'p' }, 'content'), rawEntry({ name: 'q' }, 'q')],
  [
    longName('L', 'n'.repeat(150)),
    longName('K', 't'.repeat(150)),
    rawHeader({ name: 'n', typeflag: '2', linkname: 't' }),
  ],
  [rawHeader({ name: 'l', typeflag: '1', linkname: 'file' }), pax({ comment: 'x' }, 'g'), rawEntry({ name: 'f' }, 'f')],
  [rawEntry({ name: 'gnu', magic: 'ustar ', version: ' \0' }, 'x'), rawEntry({ name: 'b', size: base256(3) }, 'abc')],
  [
    rawHeader({ name: 'title', typeflag: 'V', magic: 'ustar ', version: ' \0' }),
    rawEntry({ name: 'v7', magic: '', version: '' }, 'old'),
    rawEntry({ name: 'c', typeflag: '7' }, 'contiguous'),
  ],
  [pax({ linkpath: '../x', path: 'a/b/c' }), rawHeader({ name: 's', typeflag: '2', linkname: 'y' })],
].map((parts) => Buffer.concat([...parts, endBlocks()]));

const WORDS = [
  ...'ustar\0 00|ustar  \0|../|/|./|\0|path=|linkpath=|size=|GNU.sparse.size=|\n|11 size=7\n|12 path=a/\n'.split('|'),
  ...'0|1|2|3|5|7|x|g|L|K|S|N|V|D|M|X|file|file/|a/b|0000000|00000000000|        |7777777'.split('|'),
  '\x80\0\0\0\0\0\0\0\0\0\0\x01',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
];

const raw = mutationsOf(SEEDS, WORDS);

/** Tar headers: every reader reads the same from an archive that the guard passes. */
const guardTarget: FuzzTarget = {
  name: 'tar',
  make: async (random) => {
    const bytes = await raw(random);
    // Without this, hardly any change would get past the checksum.
    return random.int(8) === 0 ? bytes : withRightChecksums(bytes);
  },
  async check(bytes, random) {
    const passed = await resultOf(async () => await bytesOf(through(bytes, 65_536, new TarGuard(DEFAULT_LIMITS))));
    const inPieces = await resultOf(
      async () => await bytesOf(through(bytes, 1 + random.int(1000), new TarGuard(DEFAULT_LIMITS))),
    );
    assert.deepEqual(inPieces, passed, 'another verdict in other chunks');
    if ('code' in passed) return;
    const expected = readReferenceTar(bytes);
    assert.deepEqual(await readByStages(bytes), expected, 'read differently by tar-stream');
    if (random.int(GNU_TAR_ONE_IN) !== 0) return;
    const listed = listWithGnuTar(bytes);
    const ours = expected.map(({ name, type, size, linkname }) => ({ name, type, size, linkname }));
    if (listed !== undefined) assert.deepEqual(listed, ours, 'read differently by GNU tar');
  },
};

function through(bytes: Buffer, chunkBytes: number, ...stages: readonly NodeJS.ReadWriteStream[]): Readable {
  // compose() forwards errors, as pipeline does.
  return stages.reduce(
    (source, stage) => source.compose(stage) as unknown as Readable,
    Readable.from(cut(bytes, chunkBytes)),
  );
}

async function readByStages(bytes: Buffer): Promise<SeenEntry[]> {
  const entries: SeenEntry[] = [];
  // TarExtract yields entries.
  for await (const entry of through(
    bytes,
    65_536,
    new TarGuard(DEFAULT_LIMITS),
    new TarExtract(),
  ) as AsyncIterable<ArchiveEntry>) {
    const { name, type, size, linkname = '' } = entry;
    const isLink = type === 'link' || type === 'symlink';
    entries.push({ name, type, size, linkname: isLink ? linkname : '', digest: digestOf(await bytesOf(entry.body)) });
  }
  return entries;
}

/** PAX records: the accepted values account for all of the bytes. */
const paxTarget: FuzzTarget = {
  name: 'pax',
  make: mutationsOf(
    [paxRecord('path', 'a/b') + paxRecord('size', '12'), paxRecord('comment', 'a=b\nc'), paxRecord('path', 'ä')],
    [...WORDS, ' ', '=', '\n', '9 ', '10 ', '99 ', '100 ', '1000000000 ', '09 ', '-1 ', '+9 ', '0x9 '],
  ),
  async check(bytes) {
    const result = await resultOf(() => parsePaxRecords(bytes, DEFAULT_LIMITS));
    if ('code' in result) return assert.ok(['ERR_TAR_HEADER', 'ERR_TAR_ENTRY'].includes(result.code), result.code);
    let rest = bytes;
    for (const [key, value] of result.value) {
      const record = spellingsOf(Buffer.from(key, 'latin1'), Buffer.from(value)).find((one) =>
        one.equals(rest.subarray(0, one.length)),
      );
      assert.ok(record, `no record of ${JSON.stringify(key)} here`);
      rest = rest.subarray(record.length);
    }
    assert.equal(rest.length, 0);
  },
};

/** The record in its one or two spellings: the length counts its own digits, so 9 and 10 may both be right. */
function spellingsOf(key: Buffer, value: Buffer): Buffer[] {
  const rest = Buffer.concat([Buffer.from(' '), key, Buffer.from('='), value, Buffer.from('\n')]);
  const lengths = [1, 2, 3, 4, 5, 6].map((digits) => String(rest.length + digits));
  return lengths
    .filter((length) => Number(length) === rest.length + length.length)
    .map((length) => Buffer.concat([Buffer.from(length), rest]));
}

const PACKED = [gzipSync('a'), gzipSync(SEEDS[0] ?? ''), Buffer.concat([gzipSync('a'), gzipSync('b', { level: 0 })])];

/** The gzip wrapper: unpacks to the same bytes as zlib, or refuses. Passes on other bytes. */
const gzipTarget: FuzzTarget = {
  name: 'gzip',
  make: mutationsOf(
    [...PACKED, SEEDS[0] ?? ''],
    ['\x1f\x8b', '\x1f\x8b\x08\x00', '\x28\xb5\x2f\xfd', '\xfd7zXZ\0', 'BZh', '\0\0\0\0'],
  ),
  async check(bytes, random) {
    const chunkBytes = random.pick([1, 7, 100, 65_536]);
    const result = await resultOf(
      async () => await bytesOf(through(bytes, chunkBytes, new Decompress(DEFAULT_LIMITS))),
    );
    if ('code' in result) return;
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    assert.ok(result.value.equals(isPacked ? gunzipSync(bytes) : bytes));
  },
};

/** The compression of an archive. */
export const tarTargets: readonly FuzzTarget[] = [guardTarget, paxTarget, gzipTarget];
