import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { compressionOf } from '../../src/compression/compressions.js';
import { DEFAULT_LIMITS, limitsOf, type Limits } from '../../src/model/limits.js';
import { pack, PACKERS, skippableFrame, type PackerName } from '../fixtures/packers.js';
import { seededBytes } from '../fixtures/seeded.js';
import { cut } from '../stages/bodies.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';

const TEXT = Buffer.from('several words, several times; '.repeat(300));
const LARGE = Buffer.concat([seededBytes('large', 1_200_000), Buffer.alloc(1_000_000), TEXT]);
const CHUNKS = [1, 7, 511, 65_536, 10_000_000];

async function unpack(bytes: Buffer, chunkBytes = 65_536, limits: Limits = DEFAULT_LIMITS): Promise<Buffer> {
  const compression = compressionOf(bytes);
  assert.ok(compression, 'it has no magic number');
  return Buffer.concat(await runStage<Buffer>(cut(bytes, chunkBytes), compression.open(limits)));
}

const code = (expected: string): object => ({ name: 'LadingError', code: expected });
const REFUSED = /^ERR_(?:COMPRESSED_DATA|ARCHIVE_TRUNCATED)$/;

for (const { name, skip } of PACKERS) {
  if (skip === false) {
    const packed = pack(name, seededBytes('packed', 4_000_000));
    stageSuite(`Unpacking ${name}`, {
      make: () => compressionOf(packed)?.open(DEFAULT_LIMITS) ?? assert.fail(),
      inputs: () => cut(packed, 65_536),
      // bzip2 has no output before it has a whole block of 900 kB.
      maxAhead: 40,
      ...((name === 'gzip' || name === 'xz') && { refusesEmpty: 'ERR_ARCHIVE_TRUNCATED' }),
    });
  }

  describe(`Unpacking ${name}`, { skip }, () => {
    it('returns what was packed, whatever the chunks', async () => {
      for (const bytes of [Buffer.alloc(0), Buffer.from('x'), TEXT]) {
        for (const chunkBytes of CHUNKS) assert.deepEqual(await unpack(pack(name, bytes), chunkBytes), bytes);
      }
      for (const chunkBytes of [5000, 65_536, 10_000_000]) {
        assert.ok((await unpack(pack(name, LARGE), chunkBytes)).equals(LARGE));
      }
    });

    it('reads one part after another, also empty ones', async () => {
      const parts = [TEXT, Buffer.alloc(0), Buffer.from('second'), Buffer.alloc(0), Buffer.from('third')];
      const bytes = Buffer.concat(parts.map((part) => pack(name, part)));
      for (const chunkBytes of CHUNKS) assert.deepEqual(await unpack(bytes, chunkBytes), Buffer.concat(parts));
    });

    it('refuses data that was cut anywhere', async () => {
      const one = pack(name, TEXT);
      for (const bytes of [one, Buffer.concat([one, one])]) {
        const places = new Set([one.length - 1, bytes.length - 1, one.length + 1, one.length + 5]);
        const step = name === 'bzip2' ? 37 : 7;
        for (let at = 6; at < bytes.length; at += step) if (at !== one.length) places.add(at);
        for (const end of places) {
          if (end >= bytes.length) continue;
          await assert.rejects(unpack(bytes.subarray(0, end)), { code: REFUSED }, `cut at ${end}`);
        }
      }
      await assert.rejects(unpack(one.subarray(0, one.length >> 1)), code('ERR_ARCHIVE_TRUNCATED'));
    });

    it('refuses a changed byte, or returns the same bytes', async () => {
      const bytes = pack(name, TEXT);
      for (let at = 6; at < bytes.length; at += name === 'bzip2' ? 11 : 1) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(at) ^ 0x41, at);
        const unpacked = await unpack(changed).catch((error: unknown) => error);
        // Some bytes only tell how it was made: gzip's time, the size of a window.
        if (Buffer.isBuffer(unpacked)) assert.ok(unpacked.equals(TEXT), `changed at ${at}`);
        else
          assert.match(
            (unpacked as { code: string }).code,
            /^ERR_(?:COMPRESSED_DATA|ARCHIVE_TRUNCATED|COMPRESSION_UNSUPPORTED)$/,
          );
      }
    });

    it('refuses what is behind the last part', async () => {
      const bytes = pack(name, TEXT);
      for (const after of ['x', 'more', 'x'.repeat(70_000), `\0\0\0\0\0\0\0\0x`, 'BZh']) {
        for (const chunkBytes of [1, 65_536]) {
          if (chunkBytes === 1 && after.length > 1000) continue;
          const both = Buffer.concat([bytes, Buffer.from(after)]);
          await assert.rejects(unpack(both, chunkBytes), { code: REFUSED }, JSON.stringify(after));
        }
      }
    });

    it('says in the same words that data follows the end', async () => {
      const bytes = pack(name, TEXT);
      for (const after of ['x', 'xy', 'junk', 'more junk', 'x'.repeat(70_000)]) {
        for (const chunkBytes of [7, 65_536]) {
          const both = Buffer.concat([bytes, Buffer.from(after)]);
          const expected = { code: 'ERR_COMPRESSED_DATA', message: 'is damaged: data follows its end' };
          await assert.rejects(unpack(both, chunkBytes), expected, JSON.stringify(after.slice(0, 9)));
        }
      }
    });

    it('stops when it is destroyed', async () => {
      const stage = compressionOf(pack(name, LARGE))?.open(DEFAULT_LIMITS) ?? assert.fail();
      stage.write(pack(name, LARGE).subarray(0, 1_500_000));
      stage.once('readable', () => stage.destroy());
      await new Promise((resolve) => stage.once('close', resolve));
    });
  });
}

const skipOf = (name: PackerName): string | false => PACKERS.find((one) => one.name === name)?.skip ?? false;

describe('Unpacking zstd', { skip: skipOf('zstd') }, () => {
  const [one, two] = skipOf('zstd') === false ? [pack('zstd', TEXT), pack('zstd', Buffer.from('two'))] : [];
  if (one === undefined || two === undefined) return;

  const places: readonly (readonly [where: string, parts: readonly Buffer[]])[] = [
    ['first', [skippableFrame(), one, two]],
    ['between two frames', [one, skippableFrame(), skippableFrame(Buffer.alloc(0), 15), two]],
    ['last', [one, two, skippableFrame(Buffer.alloc(70_000))]],
    ['everywhere', [skippableFrame(), one, skippableFrame(), two, skippableFrame()]],
  ];
  for (const [where, parts] of places) {
    it(`passes over a skippable frame that stands ${where}`, async () => {
      for (const chunkBytes of CHUNKS) {
        const unpacked = await unpack(Buffer.concat(parts), chunkBytes);
        assert.deepEqual(unpacked, Buffer.concat([TEXT, Buffer.from('two')]));
      }
    });
  }

  it('refuses a skippable frame that was cut, and one that nothing sound follows', async () => {
    const frame = skippableFrame();
    for (const end of [1, 3, 7, 8, frame.length - 1]) {
      await assert.rejects(unpack(Buffer.concat([one, frame.subarray(0, end)])), code('ERR_ARCHIVE_TRUNCATED'));
    }
    await assert.rejects(unpack(Buffer.concat([frame, Buffer.from('other')])), code('ERR_COMPRESSED_DATA'));
    assert.equal((await unpack(frame)).length, 0);
  });

  it('reads frames of every kind: without checksum, without size, in one segment, with wide windows', async () => {
    for (const args of [
      ['--no-check'],
      ['--no-content-size'],
      ['-19'],
      ['--ultra', '-22'],
      ['--long=27'],
      ['--fast=5'],
    ]) {
      const bytes = pack('zstd', LARGE, ...args);
      assert.ok((await unpack(Buffer.concat([bytes, bytes]))).equals(Buffer.concat([LARGE, LARGE])), args.join(' '));
    }
    for (const size of [0, 1, 255, 256, 257, 65_791, 65_792]) {
      const bytes = seededBytes('sizes', size);
      assert.ok((await unpack(pack('zstd', bytes, `--stream-size=${size}`), 3)).equals(bytes), String(size));
    }
  });

  it('refuses a window that is too wide, with the command that takes it', async () => {
    const wide = pack('zstd', LARGE, '--long=31');
    await assert.rejects(unpack(wide), {
      code: 'ERR_COMPRESSION_UNSUPPORTED',
      message: /window.*2048 MiB.*128 MiB.*zstd -d --long=31/,
      details: { compression: 'zstd', command: 'zstd -d --long=31' },
    });
    const narrow = limitsOf({ maxWindowBytes: 1024 * 1024 });
    await assert.rejects(unpack(pack('zstd', LARGE), 65_536, narrow), /--long=21/);
    assert.ok((await unpack(pack('zstd', TEXT, `--stream-size=${TEXT.length}`), 65_536, narrow)).equals(TEXT));
  });

  it('takes ten thousand small frames, with work that grows with their number', async () => {
    const frames = Array.from({ length: 10_000 }, (_, at) => (at % 2 === 0 ? two : skippableFrame()));
    assert.equal(String(await unpack(Buffer.concat(frames))), 'two'.repeat(5000));
  });
});

describe('Unpacking xz', { skip: skipOf('xz') }, () => {
  it('takes padding of four zeros or a multiple, between streams and behind them, and no other', async () => {
    const bytes = pack('xz', TEXT);
    for (const zeros of [4, 8, 100_000]) {
      for (const chunkBytes of [511, 65_536]) {
        const padded = Buffer.concat([bytes, Buffer.alloc(zeros), bytes, Buffer.alloc(zeros)]);
        assert.deepEqual(await unpack(padded, chunkBytes), Buffer.concat([TEXT, TEXT]));
      }
    }
    for (const zeros of [1, 3, 6]) {
      await assert.rejects(unpack(Buffer.concat([bytes, Buffer.alloc(zeros)])), { code: REFUSED });
    }
  });

  it('tells what follows the last stream from data that was cut, and damage in words', async () => {
    const bytes = pack('xz', TEXT);
    for (const chunkBytes of [1, 65_536]) {
      for (const after of ['x', 'junk', 'elevenbytes', '\0\0\0', `${'\0'.repeat(4000)}junk`]) {
        const both = Buffer.concat([bytes, Buffer.from(after)]);
        const expected = { code: 'ERR_COMPRESSED_DATA', message: /data follows its end/ };
        await assert.rejects(unpack(both, chunkBytes), expected, JSON.stringify(after));
      }
      for (const end of [1, 5, 6, 11, 12, bytes.length - 1]) {
        const cutSecond = Buffer.concat([bytes, Buffer.alloc(8), bytes.subarray(0, end)]);
        await assert.rejects(unpack(cutSecond, chunkBytes), code('ERR_ARCHIVE_TRUNCATED'), `cut at ${end}`);
      }
    }
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(60) ^ 1, 60);
    await assert.rejects(unpack(changed), { code: 'ERR_COMPRESSED_DATA', message: /form or the checksum/ });
  });

  it('reads every preset, several blocks and each check that people use', async () => {
    for (const args of [['-0'], ['-9'], ['-9e'], ['-T2', '--block-size=300000'], ['--check=crc32'], ['--check=none']]) {
      assert.ok((await unpack(pack('xz', LARGE, ...args))).equals(LARGE), args.join(' '));
    }
  });

  it('tells what it does not unpack, with the command that does', async () => {
    for (const [args, what] of [
      [['--lzma2=dict=128MiB'], /memory, more than 64 MiB.*xz -d/],
      [['--check=sha256'], /check.*xz -d/],
      [['--x86', '--lzma2'], /filter.*xz -d/],
    ] as const) {
      const expected = { code: 'ERR_COMPRESSION_UNSUPPORTED', message: what };
      await assert.rejects(unpack(pack('xz', LARGE, ...args)), expected, args.join(' '));
    }
  });
});

describe('Unpacking bzip2', { skip: skipOf('bzip2') }, () => {
  it('returns nothing of a block before its checksum is right, also with a run of 45 MB', async () => {
    for (const bytes of [TEXT, LARGE, Buffer.concat([TEXT, Buffer.alloc(45_000_000)])]) {
      const changed = pack('bzip2', bytes);
      // The checksum of the first block.
      changed.writeUInt8(changed.readUInt8(12) ^ 1, 12);
      const stage = compressionOf(changed)?.open(DEFAULT_LIMITS) ?? assert.fail();
      let unpacked = 0;
      stage.on('data', (piece: Buffer) => (unpacked += piece.length));
      const failed = once(stage, 'error');
      stage.end(changed);
      const [error] = (await failed) as [Error];
      assert.match(error.message, /another checksum/);
      assert.equal(unpacked, 0);
    }
  });

  it('is known by its magic number also where a byte of the first block is changed', () => {
    for (const packed of [pack('bzip2', TEXT), pack('bzip2', Buffer.alloc(0))]) {
      for (let at = 3; at < 14; at += 1) {
        const changed = Buffer.from(packed);
        changed.writeUInt8(changed.readUInt8(at) ^ 0x41, at);
        assert.equal(compressionOf(changed)?.name, 'bzip2', `changed at ${at}`);
      }
    }
    assert.equal(compressionOf(Buffer.from('BZh9AB/file.json')), undefined);
  });

  it('reads every block size', async () => {
    for (const level of ['-1', '-5', '-9']) assert.ok((await unpack(pack('bzip2', LARGE, level))).equals(LARGE), level);
  });

  it('reads a run of 45 MB that one block holds', async () => {
    const zeros = Buffer.alloc(45_000_000);
    assert.ok((await unpack(pack('bzip2', zeros))).equals(zeros));
  });
});
