import { seededBytes } from '../fixtures/seeded.js';
import { padded, rawEntry, rawHeader, tarOf, type RawHeaderFields, type TarEntry } from '../fixtures/tar-builder.js';
import { writeChecksum } from '../fuzz/tar-checksums.js';
import { base256, longName, pax, paxRecord } from '../stages/tar-extensions.js';
import {
  archiveWith,
  base,
  baseArchive,
  entriesOf,
  joined,
  loads,
  repeated,
  withEntries,
  type CorpusCase,
} from './corpus.js';
import { runFamily } from './run-family.js';

const MIB = 1024 * 1024;
/** Fields that v7 does not have. */
const V7 = { magic: '', version: '' };
/** What `tar --label` of GNU writes first. */
const LABEL = { name: 'title', typeflag: 'V', magic: 'ustar ', version: ' \0' };
const FILE = rawEntry({ name: 'file' }, 'content');

/** The base image and one more header with these fields. */
const header = async (fields: RawHeaderFields): Promise<Buffer> =>
  await archiveWith(rawHeader({ name: 'odd', ...fields }));
const cutAt = async (end: number): Promise<Buffer> => (await baseArchive()).subarray(0, end);

/** A body of 64 MiB that a header of this type announces, as a stream. */
const huge = (typeflag: string) => async (): Promise<() => AsyncIterable<Buffer>> => {
  const start = await baseArchive();
  const announced = rawHeader({ name: 'huge', typeflag, size: 64 * MIB });
  return () => joined(start.subarray(0, -1024), announced, repeated(64 * MIB, 0x61));
};

/** `count` empty files, and then the base image. */
async function* manyFiles(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at += 1000) {
    yield Buffer.concat(Array.from({ length: 1000 }, (_, n) => rawHeader({ name: `f${at + n}` })));
  }
  yield await baseArchive();
}

const SHAPE: readonly CorpusCase[] = [
  ['nothing', 'ERR_ARCHIVE_FORMAT', () => Buffer.alloc(0)],
  ['only zeros', 'ERR_ARCHIVE_FORMAT', () => Buffer.alloc(10_240)],
  ['text', 'ERR_ARCHIVE_FORMAT', () => Buffer.alloc(2000, 'text ')],
  ['an archive without entries', 'ERR_ARCHIVE_FORMAT', () => tarOf([])],
  ['an archive without an image', 'ERR_ARCHIVE_FORMAT', () => [{ name: 'README', body: Buffer.from('hello') }]],
  ['a cut in the first header', 'ERR_ARCHIVE_TRUNCATED', () => cutAt(100)],
  ['a cut after the first header', 'ERR_ARCHIVE_TRUNCATED', () => cutAt(512)],
  ['a cut in a body', 'ERR_ARCHIVE_TRUNCATED', () => cutAt(520)],
  ['a cut in the padding of a body', 'ERR_ARCHIVE_TRUNCATED', () => cutAt(900)],
  ['a cut between two entries', 'ERR_ARCHIVE_TRUNCATED', () => cutAt(1024)],
  ['a cut in a later header', 'ERR_ARCHIVE_TRUNCATED', () => cutAt(1024 + 511)],
  ['a cut in the last body', 'ERR_ARCHIVE_TRUNCATED', async () => (await baseArchive()).subarray(0, -2000)],
  ['no end blocks', 'ERR_ARCHIVE_TRUNCATED', async () => (await baseArchive()).subarray(0, -1024)],
  ['one end block', 'ERR_ARCHIVE_TRUNCATED', async () => (await baseArchive()).subarray(0, -512)],
  ['an end that lacks one byte', 'ERR_ARCHIVE_TRUNCATED', async () => (await baseArchive()).subarray(0, -1)],
  ['a zero block and then entries', 'ERR_TAR_HEADER', () => archiveWith(Buffer.alloc(512), FILE)],
  [
    'a second archive behind the first',
    'ERR_ARCHIVE_FORMAT',
    async () => Buffer.concat([await baseArchive(), await baseArchive()]),
  ],
  ['a byte behind the end', 'ERR_ARCHIVE_FORMAT', async () => Buffer.concat([await baseArchive(), Buffer.from('x')])],
  [
    'a byte behind zeros behind the end',
    'ERR_ARCHIVE_FORMAT',
    async () => Buffer.concat([await baseArchive(), Buffer.alloc(70_000), Buffer.from('x')]),
  ],
  [
    'more than 1 MiB of zeros behind the end',
    'ERR_LIMIT_BYTES',
    async () => Buffer.concat([await baseArchive(), Buffer.alloc(MIB + 1)]),
  ],
  ['zeros behind the end', loads(), async () => Buffer.concat([await baseArchive(), Buffer.alloc(MIB)])],
  ['100 000 empty files', 'ERR_LIMIT_ENTRIES', () => () => manyFiles(100_000), { isLarge: true }],
  ['1 000 000 empty files', 'ERR_LIMIT_ENTRIES', () => () => manyFiles(1_000_000), { isLarge: true }],
  [
    'an entry of 9 GiB whose body is missing',
    'ERR_ARCHIVE_TRUNCATED',
    () => archiveWith(rawHeader({ name: 'large', size: base256(9 * 1024 ** 3) }), Buffer.alloc(4096)),
  ],
];

const NUMBERS: readonly CorpusCase[] = [
  ['a wrong checksum', 'ERR_TAR_HEADER', () => header({ checksum: '0001234\0' })],
  ['a v7 header in another archive', loads(), () => archiveWith(rawEntry({ name: 'old', ...V7 }, 'x'))],
  ['an archive of v7 headers', loads(), async () => asV7(await tarOf(entriesOf(base())))],
  ['a v7 header with a wrong checksum', 'ERR_TAR_HEADER', () => header({ ...V7, checksum: '0001234\0' })],
  ['a first v7 header with a wrong checksum', 'ERR_ARCHIVE_FORMAT', () => rawHeader({ name: 'f', ...V7, checksum: 7 })],
  ['a header of ustar in another version', 'ERR_TAR_HEADER', () => header({ magic: 'ustarX' })],
  ['a size that is not octal', 'ERR_TAR_HEADER', () => header({ size: '0000000008\0' })],
  ['a negative size in octal', 'ERR_TAR_HEADER', () => header({ size: '-0000000001\0' })],
  ['a negative size in base-256', 'ERR_TAR_HEADER', () => header({ size: Buffer.alloc(12, 0xff) })],
  ['a size in base-256 with a bad first byte', 'ERR_TAR_HEADER', () => header({ size: base256(7, 0x81) })],
  ['a size over 2^53', 'ERR_TAR_HEADER', () => header({ size: base256(2 ** 53) })],
  ['a size larger than the rest of the archive', 'ERR_ARCHIVE_TRUNCATED', () => header({ size: 100_000 })],
  ['a size in base-256', loads(), () => archiveWith(rawHeader({ name: 'file', size: base256(7) }), padded('content'))],
  [
    'a PAX size in place of a header’s 0',
    loads(),
    () => archiveWith(pax({ size: '7' }), rawHeader({ name: 'file' }), padded('content')),
  ],
  [
    'a PAX size before a long name, which does not apply to the name',
    loads(),
    () =>
      archiveWith(pax({ size: '7' }), longName('L', 'n'.repeat(200)), rawHeader({ name: 'file' }), padded('content')),
  ],
  ['a PAX size that is not a number', 'ERR_TAR_HEADER', () => archiveWith(pax({ size: '-1' }), FILE)],
  ['a PAX size over 2^53', 'ERR_TAR_HEADER', () => archiveWith(pax({ size: '9007199254740993' }), FILE)],
  [
    'a symlink with a size',
    'ERR_TAR_ENTRY',
    () => archiveWith(rawEntry({ name: 'l', typeflag: '2', linkname: 'x' }, 'x')),
  ],
  [
    'a hard link with a size',
    'ERR_TAR_ENTRY',
    () => archiveWith(rawEntry({ name: 'l', typeflag: '1', linkname: 'x' }, 'x')),
  ],
  ['a directory with a size', 'ERR_TAR_ENTRY', () => archiveWith(rawEntry({ name: 'd/', typeflag: '5' }, 'x'))],
];

/** One PAX header with this body as it is. */
const rawPax = async (body: string): Promise<Buffer> =>
  await archiveWith(rawEntry({ name: 'p', typeflag: 'x' }, body), FILE);

const EXTENSIONS: readonly CorpusCase[] = [
  ['a GNU long name of 64 MiB', 'ERR_LIMIT_BYTES', huge('L')],
  ['a GNU long link of 64 MiB', 'ERR_LIMIT_BYTES', huge('K')],
  ['PAX records of 64 MiB', 'ERR_LIMIT_BYTES', huge('x')],
  ['global PAX records of 64 MiB', 'ERR_LIMIT_BYTES', huge('g')],
  [
    '20 000 PAX records',
    'ERR_LIMIT_ENTRIES',
    () => rawPax(Array.from({ length: 20_000 }, (_, at) => paxRecord(`k${at}`, 'v')).join('')),
  ],
  [
    'PAX headers of entries that add up to more than 16 MiB',
    'ERR_LIMIT_BYTES',
    () =>
      archiveWith(
        ...Array.from({ length: 34 }, (_, at) => [
          pax({ comment: 'x'.repeat(500_000) }),
          rawHeader({ name: `f${at}` }),
        ]).flat(),
      ),
  ],
  ['a PAX length that is too large', 'ERR_TAR_HEADER', () => rawPax('99 path=x\n')],
  ['a PAX length that is too small', 'ERR_TAR_HEADER', () => rawPax('5 path=x\n')],
  ['a PAX record without an end', 'ERR_TAR_HEADER', () => rawPax('10 path=xy')],
  ['a PAX key twice', 'ERR_TAR_HEADER', () => rawPax(paxRecord('path', 'a') + paxRecord('path', 'b'))],
  ['two PAX headers of one entry', 'ERR_TAR_HEADER', () => archiveWith(pax({ size: '7' }), pax({ path: 'a' }), FILE)],
  ['a global PAX size', 'ERR_TAR_HEADER', () => archiveWith(pax({ size: '7' }, 'g'), FILE)],
  ['a PAX header without an entry', 'ERR_TAR_HEADER', () => archiveWith(pax({ path: 'a' }))],
  [
    'PAX records that image tools write',
    loads(),
    () => archiveWith(pax({ mtime: '1.5', 'SCHILY.xattr.user.a': 'v' }), FILE),
  ],
  ['a GNU sparse entry', 'ERR_TAR_ENTRY', () => header({ typeflag: 'S', magic: 'ustar ', version: ' \0' })],
  [
    'a PAX sparse entry of 1 TiB',
    'ERR_TAR_HEADER',
    () =>
      archiveWith(
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': String(2 ** 40) }),
        FILE,
      ),
  ],
  [
    'a real size by star’s PAX key',
    'ERR_TAR_HEADER',
    () => archiveWith(pax({ 'SCHILY.realsize': String(2 ** 40) }), FILE),
  ],
  ['a file type by star’s PAX key', 'ERR_TAR_HEADER', () => archiveWith(pax({ 'SCHILY.filetype': 'sparse' }), FILE)],
  ['holes by Solaris’ PAX key', 'ERR_TAR_HEADER', () => archiveWith(pax({ 'SUN.holesdata': ' 0 1' }), FILE)],
  ['a part of a larger file by PAX', 'ERR_TAR_HEADER', () => archiveWith(pax({ 'GNU.volume.size': '9' }), FILE)],
];

const NAMES: readonly CorpusCase[] = [
  ['a name with ".."', 'ERR_TAR_ENTRY', () => withEntries({ name: '../../etc/passwd', body: Buffer.from('x') })],
  ['a name with ".." in the middle', 'ERR_TAR_ENTRY', () => withEntries({ name: 'a/../../x' })],
  ['an absolute name in a layout', 'ERR_TAR_ENTRY', () => withEntries({ name: '/etc/passwd' })],
  ['an absolute name of a blob', 'ERR_TAR_ENTRY', () => withEntries({ name: `/${'blobs/sha256/'.padEnd(77, 'a')}` })],
  ['a hard link to an absolute name in a layout', 'ERR_TAR_ENTRY', () => withEntries(hardLink('l', '/index.json'))],
  ['a blob that is one', 'ERR_TAR_ENTRY', () => linkedBlob('/')],
  ['a blob that is a hard link', loads(), () => linkedBlob('')],
  ['an absolute name that leads out', 'ERR_TAR_ENTRY', () => header({ name: '/../etc/passwd' })],
  ['a NUL in a name', 'ERR_TAR_ENTRY', () => archiveWith(pax({ path: 'a\0b' }), FILE)],
  ['a line feed in a name', 'ERR_TAR_ENTRY', () => header({ name: 'a\nb' })],
  ['an escape sequence in a name', 'ERR_TAR_ENTRY', () => header({ name: '\u001B[2J\u001B]0;x\u0007' })],
  ['a name that is not UTF-8', 'ERR_TAR_ENTRY', () => header({ name: Buffer.from([0x61, 0xff]) })],
  ['no name', 'ERR_TAR_ENTRY', () => header({ name: '' })],
  ['a name of 4097 bytes', 'ERR_TAR_ENTRY', () => archiveWith(longName('L', 'n'.repeat(4097)), FILE)],
  [
    'names of more than 8 MiB together',
    'ERR_LIMIT_BYTES',
    () => archiveWith(...Array.from({ length: 2100 }, longNamed)),
  ],
  [
    'a symlink out of the archive',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: 'a/l', type: 'symlink', linkname: '../../x' }),
  ],
  [
    'a symlink to an absolute path',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: 'l', type: 'symlink', linkname: '/etc' }),
  ],
  [
    'a hard link out of the archive',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: 'a/l', type: 'link', linkname: '../x' }),
  ],
  ['a symlink to itself', 'ERR_ARCHIVE_FORMAT', () => withEntries({ name: 'l', type: 'symlink', linkname: 'l' })],
  [
    'symlinks in a circle',
    'ERR_ARCHIVE_FORMAT',
    () => withEntries({ name: 'a', type: 'symlink', linkname: 'b' }, { name: 'b', type: 'symlink', linkname: 'a' }),
  ],
  [
    'a symlink to a file of the archive',
    loads(),
    () => withEntries({ name: 'file', body: Buffer.from('x') }, { name: 'l', type: 'symlink', linkname: 'file' }),
  ],
  ['a contiguous file', loads(), () => archiveWith(rawEntry({ name: 'file', typeflag: '7' }, 'content'))],
  ['a contiguous file that leads out', 'ERR_TAR_ENTRY', () => header({ name: '../x', typeflag: '7' })],
  ['only contiguous files', loads(), async () => withFlags(await baseArchive(), '7')],
  ['a volume label', loads(), async () => Buffer.concat([rawHeader(LABEL), await baseArchive()])],
  ['a volume label with a name of no file', loads(), () => header({ ...LABEL, name: '/../ \u0001' })],
  ['a volume label with a body', 'ERR_TAR_HEADER', () => archiveWith(rawEntry(LABEL, 'x'))],
  ['a volume label behind a long name', 'ERR_TAR_HEADER', () => archiveWith(longName('L', 'n'), rawHeader(LABEL))],
  ['a volume label in PAX', loads(), () => archiveWith(pax({ 'GNU.volume.label': 'x' }, 'g'), FILE)],
  ['a part of a larger file', 'ERR_TAR_HEADER', () => archiveWith(pax({ 'GNU.volume.size': '9' }, 'g'), FILE)],
  ...['3', '4', '6', '8', 'A', 'D', 'M', 'N', 'X', 'u', '\u0001'].map((typeflag): CorpusCase => [
    `an entry of type ${JSON.stringify(typeflag)}`,
    'ERR_TAR_ENTRY',
    async () => await header({ typeflag }),
  ]),
];

/** The same archive with headers of v7: what came later is zero. */
function asV7(tar: Buffer): Buffer {
  return withHeaders(tar, (header) => header.fill(0, 257));
}

/** The same archive with this type for all files. */
function withFlags(tar: Buffer, flag: string): Buffer {
  return withHeaders(tar, (header) => header[156] === 0x30 && header.write(flag, 156));
}

function withHeaders(tar: Buffer, change: (header: Buffer) => void): Buffer {
  const changed = Buffer.from(tar);
  for (let at = 0; at < changed.length;) {
    const header = changed.subarray(at, at + 512);
    const size = parseInt(header.toString('latin1', 124, 135), 8) || 0;
    at += 512 + Math.ceil(size / 512) * 512;
    if (header[0] === 0) continue;
    change(header);
    writeChecksum(header);
  }
  return changed;
}

function hardLink(name: string, linkname: string): TarEntry {
  return { name, type: 'link', linkname };
}

/** The base image with one blob as a hard link to a file of another name. */
function linkedBlob(prefix: string): readonly TarEntry[] {
  const [blob, ...others] = entriesOf(base()).toSorted(({ name }) => (name.startsWith('blobs/sha256/') ? -1 : 1));
  if (blob === undefined) return [];
  return [...others, { ...blob, name: 'file' }, hardLink(blob.name, `${prefix}file`)];
}

/** An entry with a name of 4 090 bytes. */
function longNamed(_: unknown, at: number): Buffer {
  return Buffer.concat([longName('L', `${at}/`.padEnd(4090, 'n')), rawHeader({ name: 'n' })]);
}

/** The first blob of the base image that starts like a layer. */
const blob = entriesOf(base()).findLast(({ name }) => name.startsWith('blobs/'));
const blobName = blob?.name ?? '';

const TWICE: readonly CorpusCase[] = [
  [
    'a blob twice, with other bytes',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: blobName, body: seededBytes('other', 9) }),
  ],
  ['a blob twice', loads(), () => withEntries({ name: blobName, body: blob?.body ?? Buffer.alloc(0) })],
  [
    'a blob twice, with other bytes of the same number',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: blobName, body: seededBytes('other', Number(blob?.body?.length)) }),
  ],
  ['each entry twice', loads(), () => [...entriesOf(base()), ...entriesOf(base())]],
  [
    'a blob twice, by another spelling of its path',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: `./${blobName.replace('blobs/', 'blobs//./')}`, body: seededBytes('other', 9) }),
  ],
  [
    'a blob and a symlink of its name',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: blobName, type: 'symlink', linkname: 'x' }),
  ],
  [
    'two index.json',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: 'index.json', body: Buffer.from('{"schemaVersion":2,"manifests":[]}') }),
  ],
  [
    'two oci-layout, one as ./oci-layout',
    'ERR_TAR_ENTRY',
    () => withEntries({ name: './oci-layout', body: Buffer.from('{}') }),
  ],
  ['a directory twice', loads(), () => withEntries({ name: 'blobs/', type: 'directory' })],
  [
    'INDEX.JSON beside index.json',
    loads(undefined, ['WARN_ENTRY_IGNORED']),
    () => withEntries({ name: 'INDEX.JSON', body: Buffer.from('{') }),
  ],
  [
    'a blob that no image needs',
    loads(),
    () => withEntries({ name: `blobs/sha256/${'0'.repeat(64)}`, body: Buffer.from('x') }),
  ],
  [
    'names that begin with ./',
    loads(),
    () => entriesOf(base()).map((entry) => ({ ...entry, name: `./${entry.name}` })),
  ],
];

runFamily('tar', [...SHAPE, ...NUMBERS, ...EXTENSIONS, ...NAMES, ...TWICE], 117);
