import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { LadingError } from '../../src/model/errors.js';
import { DEFAULT_LIMITS, limitsOf, type Limits } from '../../src/model/limits.js';
import { TarGuard } from '../../src/stages/tar-guard.js';
import { seededBytes } from '../fixtures/seeded.js';
import { endBlocks, padded, rawEntry, rawHeader, tarOf, type RawHeaderFields } from '../fixtures/tar-builder.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';
import { cut } from './bodies.js';
import { base256, longName, pax, paxRecord } from './tar-extensions.js';

const CHUNKS = [1, 7, 511, 512, 513, 65_536];
const FILE = rawEntry({ name: 'file' }, 'content');

async function guard(bytes: Uint8Array, chunkBytes = 65_536, limits: Limits = DEFAULT_LIMITS): Promise<Buffer> {
  return Buffer.concat(await runStage<Buffer>(cut(bytes, chunkBytes), new TarGuard(limits)));
}

/** The code of a refusal; undefined if the bytes passed unchanged, except zeros after the end. */
async function verdict(
  bytes: Uint8Array,
  chunkBytes?: number,
  limits: Limits = DEFAULT_LIMITS,
): Promise<string | undefined> {
  try {
    const passed = await guard(bytes, chunkBytes, limits);
    assert.ok(passed.equals(bytes.subarray(0, passed.length)) && passed.subarray(-1024).equals(endBlocks()));
    assert.ok(bytes.subarray(passed.length).every((byte) => byte === 0));
    return undefined;
  } catch (error) {
    if (error instanceof LadingError) return error.code;
    throw error;
  }
}

function archive(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, endBlocks()]);
}

/** An archive of a valid file and one header with these fields. */
function header(fields: RawHeaderFields): Buffer {
  return archive(FILE, rawHeader({ name: 'odd', ...fields }));
}

type Case = readonly [what: string, bytes: Buffer | (() => Buffer | Promise<Buffer>), code?: string];

function table(cases: readonly Case[]): void {
  for (const [what, made, code] of cases) {
    it(what, async () => {
      const bytes = typeof made === 'function' ? await made() : made;
      for (const chunkBytes of [512, 65_536]) assert.equal(await verdict(bytes, chunkBytes), code);
    });
  }
}

stageSuite('TarGuard', {
  make: () => new TarGuard(DEFAULT_LIMITS),
  inputs: () => cut(archive(rawEntry({ name: 'large' }, Buffer.alloc(16 * 1024 * 1024))), 65_536),
  maxAhead: 40,
  refusesEmpty: 'ERR_ARCHIVE_FORMAT',
});

describe('TarGuard passes unchanged up to the end', () => {
  table([
    ['an archive without entries', endBlocks()],
    [
      'files, directories and links',
      () =>
        tarOf([
          { name: 'blobs/', type: 'directory' },
          { name: './file', body: seededBytes('file', 1000) },
          { name: 'blobs/link', type: 'symlink', linkname: '../file' },
          { name: 'hard', type: 'link', linkname: 'file' },
        ]),
    ],
    ['a file of old type NUL', archive(rawEntry({ name: 'old', typeflag: '\0' }, 'x'))],
    ['a v7 header', archive(rawEntry({ name: 'old', magic: '', version: '' }, 'x'), FILE)],
    ['a contiguous file', archive(rawEntry({ name: 'file', typeflag: '7' }, 'content'))],
    ['a volume label', archive(rawHeader({ name: 'title', typeflag: 'V', magic: 'ustar ', version: ' \0' }), FILE)],
    ['a GNU header', archive(rawEntry({ name: 'gnu', magic: 'ustar ', version: ' \0' }, 'x'))],
    ['a name with a prefix', archive(rawEntry({ name: 'file', prefix: 'folder' }, 'x'))],
    ['a name that fills its field', archive(rawEntry({ name: 'n'.repeat(100) }, 'x'))],
    ['a UTF-8 name', archive(rawEntry({ name: 'é' }, 'x'))],
    ['a name with harmless dots', archive(rawEntry({ name: './..a/b../...' }, 'x'))],
    [
      'a PAX name and link',
      archive(
        pax({ path: 'p'.repeat(300) }),
        FILE,
        pax({ linkpath: 'l'.repeat(300) }),
        rawHeader({ name: 'l', typeflag: '2', linkname: 'x' }),
      ),
    ],
    [
      'a PAX size in place of a header’s 0',
      archive(pax({ size: '7' }), rawHeader({ name: 'file' }), padded('content')),
    ],
    [
      'a PAX size in place of another',
      archive(pax({ size: '7' }), rawHeader({ name: 'file', size: 0o7777 }), padded('content')),
    ],
    [
      'PAX records that image tools write',
      archive(pax({ mtime: '1.5', 'SCHILY.xattr.user.a': 'v', comment: '' }), FILE),
    ],
    ['a PAX record with a line feed and an equals sign in its value', archive(pax({ comment: 'a=b\nc' }), FILE)],
    ['a global comment, as git archive writes', archive(pax({ comment: 'commit' }, 'g'), FILE)],
    [
      'a GNU long name and a long link',
      archive(
        longName('K', 'k'.repeat(200)),
        longName('L', 'n'.repeat(200)),
        rawHeader({ name: 'n', typeflag: '2', linkname: 'k' }),
      ),
    ],
    ['a base-256 size', archive(rawHeader({ name: 'file', size: base256(7) }), padded('content'))],
    ['sizes with spaces around their digits', archive(rawHeader({ name: 'file', size: '   7 \0' }), padded('content'))],
    ['a size field that is all NUL', header({ size: '' })],
    [
      'a uid and an mtime before 1970 as GNU writes them',
      header({ uid: Buffer.alloc(8, 0xff), mtime: base256(1, 0xff) }),
    ],
    ['zeros after the end', Buffer.concat([archive(FILE), Buffer.alloc(20 * 512)])],
    ['zeros after the end that do not fill a block', Buffer.concat([archive(FILE), Buffer.alloc(100)])],
    ['padding that is not all zeros', archive(rawHeader({ name: 'file', size: 7 }), Buffer.alloc(512, 'x'))],
  ]);

  it('the header of a 9 GiB file, in base-256, in octal and by PAX', async () => {
    const size = 9 * 1024 ** 3;
    for (const start of [
      rawHeader({ name: 'large', size: base256(size) }),
      rawHeader({ name: 'large', size: size.toString(8) }),
      Buffer.concat([pax({ size: String(size) }), rawHeader({ name: 'large' })]),
    ]) {
      assert.equal(await verdict(Buffer.concat([start, Buffer.alloc(4096, 'x')])), 'ERR_ARCHIVE_TRUNCATED');
    }
  });
});

describe('TarGuard refuses', () => {
  const link = (name: string, linkname: string, typeflag: string): Buffer => header({ name, linkname, typeflag });
  const odd = 'ERR_TAR_HEADER';
  const bad = 'ERR_TAR_ENTRY';
  table([
    ['a file by its header and a folder by its PAX name', archive(pax({ path: 'index.json/' }), FILE), bad],
    ['text', Buffer.alloc(2000, 'text '), 'ERR_ARCHIVE_FORMAT'],
    ['text shorter than a block', Buffer.from('text'), 'ERR_ARCHIVE_TRUNCATED'],
    ['a zip', Buffer.concat([Buffer.from('PK\u0003\u0004'), seededBytes('zip', 1000)]), 'ERR_ARCHIVE_FORMAT'],
    ['one zero block and nothing else', Buffer.alloc(512), 'ERR_ARCHIVE_TRUNCATED'],
    ['missing end blocks', FILE, 'ERR_ARCHIVE_TRUNCATED'],
    ['one end block', Buffer.concat([FILE, Buffer.alloc(512)]), 'ERR_ARCHIVE_TRUNCATED'],
    ['a zero block between entries', archive(FILE, Buffer.alloc(512), FILE), odd],
    ['a second archive after the first', Buffer.concat([archive(FILE), archive(FILE)]), 'ERR_ARCHIVE_FORMAT'],
    ['a byte after the end', Buffer.concat([archive(FILE), Buffer.from('x')]), 'ERR_ARCHIVE_FORMAT'],
    [
      'a byte after the end behind zeros',
      Buffer.concat([archive(FILE), Buffer.alloc(70_000), Buffer.from('x')]),
      'ERR_ARCHIVE_FORMAT',
    ],
    [
      'more than 1 MiB of zeros after the end',
      Buffer.concat([archive(FILE), Buffer.alloc(1024 * 1024 + 1)]),
      'ERR_LIMIT_BYTES',
    ],
    ['a wrong checksum', header({ checksum: '0001234\0' }), odd],
    ['a checksum that is not a number', header({ checksum: 'checksum' }), odd],
    ['a header of another version of ustar', header({ magic: 'ustarX' }), odd],
    ['a v7 header with a wrong checksum', header({ magic: '', version: '', checksum: '0001234\0' }), odd],
    ['a volume label with a body', archive(rawEntry({ name: 'title', typeflag: 'V' }, 'x')), odd],
    ['a magic of another kind', header({ magic: 'ustar\0', version: '00', name: 'x', checksum: ' ' }), odd],
    ['a size that is not octal', header({ size: '0000000008\0' }), odd],
    ['a size with digits behind its end', header({ size: '7\0\u0030000007\0' }), odd],
    ['a uid that is not octal', header({ uid: '0008000\0' }), odd],
    ['a mode that is not octal', header({ mode: '0x1ff\0' }), odd],
    ['an mtime in base-256 with a bad first byte', header({ mtime: base256(1, 0x81) }), odd],
    ['a device number that is not octal', header({ devmajor: 'abc' }), odd],
    ['a negative octal size', header({ size: '-0000000001\0' }), odd],
    ['a negative base-256 size', header({ size: Buffer.alloc(12, 0xff) }), odd],
    ['a base-256 size with a bad first byte', header({ size: base256(7, 0x81) }), odd],
    ['a base-256 size over 2^53', header({ size: base256(2 ** 53) }), odd],
    ['a base-256 size that fills its field', header({ size: Buffer.from([0x80, ...Buffer.alloc(11, 0xff)]) }), odd],
    ['a directory with a size', archive(rawEntry({ name: 'd/', typeflag: '5' }, 'x')), bad],
    ['a file with a size whose name ends like that of a directory', archive(rawEntry({ name: 'd/' }, 'x')), bad],
    ['a file with a size whose PAX name ends like that of a directory', archive(pax({ path: 'd/' }), FILE), bad],
    ['a symlink with a size', archive(rawEntry({ name: 'l', typeflag: '2', linkname: 'x' }, 'x')), bad],
    ['a hard link with a size', archive(rawEntry({ name: 'l', typeflag: '1', linkname: 'x' }, 'x')), bad],
    [
      'a directory that PAX gives a size',
      archive(pax({ size: '5' }), rawHeader({ name: 'd/', typeflag: '5' }), padded('12345')),
      bad,
    ],
    [
      'a symlink that PAX gives a size',
      archive(pax({ size: '5' }), rawHeader({ name: 'l', typeflag: '2', linkname: 'x' }), padded('12345')),
      bad,
    ],
    ...['3', '4', '6', 'A', 'D', 'M', 'N', 'S', 'X', 'Z', '\u0001', '8', 'u'].map((typeflag): Case => [
      `an entry of type ${JSON.stringify(typeflag)}`,
      header({ typeflag }),
      bad,
    ]),
    ['an empty name', header({ name: '' }), bad],
    ['.. as a name', header({ name: '..' }), bad],
    ['a name that begins with ..', header({ name: '../x' }), bad],
    ['a name that ends with ..', header({ name: 'a/..' }), bad],
    ['a name that climbs behind ./', header({ name: './../x' }), bad],
    ['a prefix that climbs', header({ name: 'x', prefix: '..' }), bad],
    ['a line feed in a name', header({ name: 'a\nb' }), bad],
    ['an escape sequence in a name', header({ name: '\u001b[2J' }), bad],
    ['a DEL in a name', header({ name: 'a\u007f' }), bad],
    ['a name that is not UTF-8', header({ name: Buffer.from([0x61, 0xff]) }), bad],
    ['a link name that is not UTF-8', header({ name: 'l', typeflag: '2', linkname: Buffer.from([0xff]) }), bad],
    ['a name of 4097 bytes', archive(longName('L', 'n'.repeat(4097)), FILE), bad],
    ['a PAX name that climbs', archive(pax({ path: '../x' }), FILE), bad],
    ['an empty PAX name', archive(pax({ path: '' }), FILE), bad],
    ['a NUL in a PAX name', archive(pax({ path: 'a\0b' }), FILE), bad],
    [
      'a PAX name that is not UTF-8',
      archive(
        rawEntry({ name: 'p', typeflag: 'x' }, Buffer.concat([Buffer.from('10 path='), Buffer.from([0xff, 0x0a])])),
        FILE,
      ),
      bad,
    ],
    ['a name that ends in /.', header({ name: 'blobs/.' }), bad],
    ['a folder whose name ends in /.', header({ name: 'blobs/.', typeflag: '5' }), bad],
    ['a PAX name that ends in /.', archive(pax({ path: 'a/.' }), FILE), bad],
    ['a PAX key with a NUL', archive(rawEntry({ name: 'p', typeflag: 'x' }, Buffer.from('12 path\0x=y\n')), FILE), odd],
    ['a long name that climbs', archive(longName('L', 'a/../../x'), FILE), bad],
    ['an empty long name', archive(longName('L', '\0'), FILE), bad],
    ['a symlink to an absolute path', link('l', '/etc/passwd', '2'), bad],
    ['a symlink out of the archive', link('a/l', '../../x', '2'), bad],
    ['a symlink to the folder above', link('l', '..', '2'), bad],
    ['a symlink to nothing', link('l', '', '2'), bad],
    ['a symlink with a control character', link('l', 'a\nb', '2'), bad],
    [
      'a symlink out of the archive by PAX',
      archive(pax({ linkpath: '../x' }), rawHeader({ name: 'l', typeflag: '2', linkname: 'x' })),
      bad,
    ],
    [
      'a symlink out of the archive by a long link',
      archive(longName('K', '../x'), rawHeader({ name: 'l', typeflag: '2', linkname: 'x' })),
      bad,
    ],
    ['a hard link out of the archive', link('a/l', '../x', '1'), bad],
    ['a hard link to an absolute path that leads out', link('l', '/../etc/passwd', '1'), bad],
    ['a GNU sparse file', header({ typeflag: 'S', magic: 'ustar ', version: ' \0' }), bad],
    [
      'a PAX sparse file',
      archive(pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '1099511627776' }), FILE),
      odd,
    ],
    ['a PAX length that is too large', archive(rawEntry({ name: 'p', typeflag: 'x' }, '99 path=x\n'), FILE), odd],
    ['a PAX length that is too small', archive(rawEntry({ name: 'p', typeflag: 'x' }, '5 path=x\n'), FILE), odd],
    ['a PAX length of its own digits', archive(rawEntry({ name: 'p', typeflag: 'x' }, '2 path=x\n'), FILE), odd],
    ['a PAX length that begins with 0', archive(rawEntry({ name: 'p', typeflag: 'x' }, '010 path=x\n'), FILE), odd],
    ['a PAX length that is not a number', archive(rawEntry({ name: 'p', typeflag: 'x' }, 'ab path=x\n'), FILE), odd],
    ['a negative PAX length', archive(rawEntry({ name: 'p', typeflag: 'x' }, '-9 path=x\n'), FILE), odd],
    ['a PAX record without a space', archive(rawEntry({ name: 'p', typeflag: 'x' }, '9path=xy\n'), FILE), odd],
    ['a PAX record without an equals sign', archive(rawEntry({ name: 'p', typeflag: 'x' }, '10 path x\n'), FILE), odd],
    ['a PAX record without a key', archive(rawEntry({ name: 'p', typeflag: 'x' }, '6 =xy\n'), FILE), odd],
    ['a PAX record without a line feed', archive(rawEntry({ name: 'p', typeflag: 'x' }, '10 path=xy'), FILE), odd],
    [
      'NULs after PAX records',
      archive(rawEntry({ name: 'p', typeflag: 'x' }, `${paxRecord('path', 'x')}\0\0`), FILE),
      odd,
    ],
    [
      'a PAX key twice',
      archive(rawEntry({ name: 'p', typeflag: 'x' }, paxRecord('path', 'a') + paxRecord('path', 'b')), FILE),
      odd,
    ],
    ['an empty PAX header', archive(rawEntry({ name: 'p', typeflag: 'x' }), FILE), odd],
    ...['-1', '+1', '1.5', '0x10', ' 7', '7 ', '', '99999999999999999', '1e3'].map((size): Case => [
      `a PAX size of ${JSON.stringify(size)}`,
      archive(pax({ size }), rawHeader({ name: 'file' })),
      odd,
    ]),
    ...['path', 'linkpath', 'size'].map((key): Case => [
      `a global PAX ${key}`,
      archive(pax({ [key]: '1' }, 'g'), FILE),
      odd,
    ]),
    ['more than 1 MiB of PAX records', archive(pax({ comment: 'x'.repeat(1024 * 1024) }), FILE), 'ERR_LIMIT_BYTES'],
    ['a long name of 64 MiB, by its size alone', header({ typeflag: 'L', size: 64 * 1024 * 1024 }), 'ERR_LIMIT_BYTES'],
    [
      'PAX headers that are small one by one',
      archive(...Array.from({ length: 20 }, () => pax({ comment: 'x'.repeat(60_000) }, 'g')), FILE),
      'ERR_LIMIT_BYTES',
    ],
  ]);
});

describe('TarGuard refuses what two readers understand differently', () => {
  const evil = rawEntry({ name: 'smuggled' }, 'evil');
  table([
    [
      'two PAX headers for one entry, since the second replaces the first',
      archive(pax({ size: '1024' }), pax({ path: 'a' }), rawHeader({ name: 'a' }), evil),
      'ERR_TAR_HEADER',
    ],
    ['two long names for one entry', archive(longName('L', 'a'), longName('L', 'b'), FILE), 'ERR_TAR_HEADER'],
    [
      'two long links for one entry',
      archive(longName('K', 'a'), longName('K', 'b'), rawHeader({ name: 'l', typeflag: '2', linkname: 'x' })),
      'ERR_TAR_HEADER',
    ],
    [
      'a PAX name and a long name for one entry',
      archive(pax({ path: '../x' }), longName('L', 'good'), FILE),
      'ERR_TAR_HEADER',
    ],
    [
      'a long name and a PAX name for one entry',
      archive(longName('L', 'good'), pax({ path: 'bad' }), FILE),
      'ERR_TAR_HEADER',
    ],
    ['a PAX header without an entry after it', archive(FILE, pax({ path: 'a' })), 'ERR_TAR_HEADER'],
    ['a long name without an entry after it', archive(FILE, longName('L', 'a')), 'ERR_TAR_HEADER'],
  ]);
});

describe('TarGuard and a cut input', () => {
  const whole = archive(
    pax({ path: 'p'.repeat(200) }),
    rawEntry({ name: 'p' }, seededBytes('cut', 1500)),
    longName('L', 'n'.repeat(200)),
    rawEntry({ name: 'n' }, 'x'),
    rawHeader({ name: 'd/', typeflag: '5' }),
  );

  it('refuses every prefix that ends on a block', async () => {
    for (let end = 512; end < whole.length; end += 512) {
      assert.equal(await verdict(whole.subarray(0, end)), 'ERR_ARCHIVE_TRUNCATED', `cut at ${end}`);
    }
  });

  it('refuses every prefix but the whole archive, byte by byte around the blocks', async () => {
    const near = [-3, -1, 1, 2, 100, 255];
    for (let block = 0; block <= whole.length; block += 512) {
      for (const end of near.map((offset) => block + offset).filter((at) => at > 0 && at < whole.length)) {
        assert.equal(await verdict(whole.subarray(0, end)), 'ERR_ARCHIVE_TRUNCATED', `cut at ${end}`);
      }
    }
    assert.equal(await verdict(whole), undefined);
  });

  it('refuses an empty input', async () => {
    assert.equal(await verdict(Buffer.alloc(0)), 'ERR_ARCHIVE_FORMAT');
    assert.equal(await outcomeOfEmptyChunk(), 'ERR_ARCHIVE_FORMAT');
  });

  for (const chunkBytes of CHUNKS) {
    it(`has the same result in chunks of ${chunkBytes}`, async () => {
      assert.equal(await verdict(whole, chunkBytes), undefined);
      assert.equal(await verdict(whole.subarray(0, -1), chunkBytes), 'ERR_ARCHIVE_TRUNCATED');
      assert.equal(await verdict(header({ name: '../x' }), chunkBytes), 'ERR_TAR_ENTRY');
      assert.equal(await verdict(Buffer.concat([whole, Buffer.from('x')]), chunkBytes), 'ERR_ARCHIVE_FORMAT');
      assert.equal(await verdict(archive(pax({ size: '-1' }), FILE), chunkBytes), 'ERR_TAR_HEADER');
    });
  }
});

describe('TarGuard and its limits', () => {
  const many = archive(...Array.from({ length: 5 }, (_, at) => rawHeader({ name: `file-${at}` })));
  const cases: readonly (readonly [
    what: string,
    bytes: Buffer,
    exact: Partial<Limits>,
    less: Partial<Limits>,
    code: string,
  ])[] = [
    ['entries', many, { maxEntries: 5 }, { maxEntries: 4 }, 'ERR_LIMIT_ENTRIES'],
    ['bytes', many, { maxArchiveBytes: many.length }, { maxArchiveBytes: many.length - 1 }, 'ERR_LIMIT_BYTES'],
    ['bytes of a name', archive(FILE), { maxNameBytes: 4 }, { maxNameBytes: 3 }, 'ERR_TAR_ENTRY'],
    [
      'bytes of a name, not its characters',
      header({ name: 'éé' }),
      { maxNameBytes: 4 },
      { maxNameBytes: 3 },
      'ERR_TAR_ENTRY',
    ],
    [
      'bytes of extensions',
      archive(longName('L', 'name'), FILE),
      { maxEntryHeaderBytes: 5 },
      { maxEntryHeaderBytes: 4 },
      'ERR_LIMIT_BYTES',
    ],
    [
      'bytes of extensions in the archive',
      archive(longName('L', 'name'), FILE, longName('L', 'name'), FILE),
      { maxHeaderBytes: 10 },
      { maxHeaderBytes: 9 },
      'ERR_LIMIT_BYTES',
    ],
    [
      'PAX records of a header',
      archive(pax({ a: '1', b: '2' }), FILE),
      { maxPaxRecords: 2 },
      { maxPaxRecords: 1 },
      'ERR_LIMIT_ENTRIES',
    ],
    [
      'bytes after the end',
      Buffer.concat([many, Buffer.alloc(100)]),
      { maxTrailingBytes: 100 },
      { maxTrailingBytes: 99 },
      'ERR_LIMIT_BYTES',
    ],
  ];
  for (const [what, bytes, exact, less, code] of cases) {
    it(`allows exactly as many ${what} as the limit says`, async () => {
      assert.equal(await verdict(bytes, 512, limitsOf(exact)), undefined);
      assert.equal(await verdict(bytes, 512, limitsOf(less)), code);
    });
  }

  it('counts extensions anew for each entry', async () => {
    const named = Buffer.concat([longName('L', 'name'), FILE]);
    assert.equal(await verdict(archive(named, named), 512, limitsOf({ maxEntryHeaderBytes: 5 })), undefined);
  });
});

describe('any bytes', () => {
  it('pass unchanged or are refused with a code', async () => {
    const block = fc.oneof(
      fc.constant(Buffer.alloc(512)),
      fc.constant(FILE),
      fc
        .record({
          name: fc.string({ maxLength: 100 }),
          typeflag: fc.constantFrom('0', '1', '2', '5', '7', 'x', 'g', 'L', 'K', 'S', 'V'),
          size: fc.nat(2000),
        })
        .map(rawHeader),
      fc.uint8Array({ minLength: 0, maxLength: 600 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(block, { maxLength: 6 }),
        fc.constantFrom(...CHUNKS.slice(1)),
        async (blocks, chunkBytes) => {
          const bytes = Buffer.concat(blocks);
          assert.equal(await verdict(bytes, chunkBytes), await verdict(bytes));
        },
      ),
      { numRuns: 150 },
    );
  });
});

async function outcomeOfEmptyChunk(): Promise<string | undefined> {
  return await runStage([Buffer.alloc(0)], new TarGuard(DEFAULT_LIMITS)).then(
    () => undefined,
    (error: LadingError) => error.code,
  );
}
