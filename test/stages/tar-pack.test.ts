import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { entryNameOf, TAR_END_BYTES, tarEntryBytes } from '../../src/model/archive-layout.js';
import { digestOf } from '../../src/model/digest.js';
import { paddingOf } from '../../src/model/tar-header.js';
import type { ArchiveEntry } from '../../src/stages/records.js';
import { TarPack } from '../../src/stages/tar-pack.js';
import { VerifyDigests } from '../../src/stages/verify-digests.js';
import { seededBytes } from '../fixtures/seeded.js';
import { atRest, runStage, stageSuite } from '../suites/stage-suite.js';
import { Bodies, first } from './bodies.js';

const bodies = new Bodies();
const piped = new Bodies();
const LONG = entryNameOf(digestOf('long', 'sha512'));

async function pack(entries: Iterable<ArchiveEntry>): Promise<Buffer> {
  return Buffer.concat(await runStage<Buffer>(entries, new TarPack()));
}

function* entriesIn(chunkBytes: number): Generator<ArchiveEntry> {
  yield { name: 'blobs/', type: 'directory', size: 0, body: bodies.of() };
  for (const size of [0, 1, 511, 512, 513, 70_000]) {
    yield bodies.entry(`file-${size}`, seededBytes(`file-${size}`, size), chunkBytes);
  }
  yield { ...bodies.entry(LONG, seededBytes('long', 1000), chunkBytes), mode: 0o600 };
}

async function* chained(...parts: readonly AsyncIterable<Uint8Array>[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield* part;
}

stageSuite('TarPack', {
  make: () => new TarPack(),
  inputs: () => first(400, piped.blobs(100_000)),
  maxAhead: 24,
  emptyOutputs: 1,
  openBodies: () => piped.open,
});

describe('TarPack', () => {
  it('makes the same bytes for any chunks of the bodies', async () => {
    const whole = await pack(entriesIn(1024 * 1024));
    for (const chunkBytes of [7, 511, 512, 65_536]) {
      assert.ok((await pack(entriesIn(chunkBytes))).equals(whole), `chunks of ${chunkBytes}`);
    }
  });

  it('makes as many bytes as tarEntryBytes says for each entry, and the end', async () => {
    const sizes = [...entriesIn(512)].map(({ name, size }) => tarEntryBytes(name, size));
    const total = sizes.reduce((sum, size) => sum + size, TAR_END_BYTES);
    assert.equal((await pack(entriesIn(512))).length, total);
  });

  it('ends every chunk but the last inside an entry, so that no reader accepts a part as the whole', async () => {
    for (const chunkBytes of [7, 512, 513, 1024, 65_536]) {
      const all = [...entriesIn(chunkBytes), bodies.entry('empty', Buffer.alloc(0), 1), ...entriesIn(chunkBytes)];
      let at = 0;
      const between = all.flatMap(({ name, size }) => {
        at += tarEntryBytes(name, size);
        return Array.from({ length: 1 + paddingOf(size) }, (_, padding) => at - padding);
      });
      const chunks = await runStage<Buffer>(all, new TarPack());
      let end = 0;
      const ends = chunks.map((chunk) => (end += chunk.length));
      assert.deepEqual(
        ends.filter((position) => between.includes(position)),
        [],
        `chunks of ${chunkBytes}`,
      );
    }
  });

  it('makes only two zero blocks for no entries', async () => {
    assert.ok((await pack([])).equals(Buffer.alloc(1024)));
  });

  it('makes an archive that GNU tar lists, with fixed modes, owner and time', async () => {
    const { status, stdout, stderr } = spawnSync('tar', ['-tvf', '-', '--full-time', '--utc', '--numeric-owner'], {
      input: await pack(entriesIn(512)),
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    assert.match(stdout, line('drwxr-xr-x', 0, 'blobs/'));
    assert.match(stdout, line('-r--r--r--', 513, 'file-513'));
    assert.match(stdout, line('-rw-------', 1000, LONG));
  });

  it('packs an empty body and a body of empty chunks', async () => {
    const none = Buffer.alloc(0);
    assert.ok((await pack([empty('a')])).equals(await pack([empty('a', none, none)])));
  });

  it('reads little of a large body while nothing reads the archive', async () => {
    const counted = new Bodies();
    const chunk = Buffer.alloc(64 * 1024);
    const parts = Array.from({ length: 1000 }, () => chunk);
    const stage = new TarPack();
    stage.write({ name: 'large', type: 'file', size: 1000 * chunk.length, body: counted.of(...parts) });
    await atRest(() => counted.chunks);
    assert.ok(counted.chunks <= 20, `${counted.chunks} chunks of 64 KiB were taken`);
    stage.destroy();
    await stage.settled();
    assert.equal(counted.open, 0);
  });

  it('closes a body that waits for its source when the stage is destroyed', async () => {
    const counted = new Bodies();
    const source = new PassThrough();
    const stage = new TarPack();
    const body = counted.of(Buffer.alloc(5));
    stage.write({ name: 'slow', type: 'file', size: 10, body: chained(body, source) });
    await atRest(() => counted.chunks);
    stage.destroy();
    source.end(Buffer.alloc(5));
    await stage.settled();
    assert.equal(counted.open, 0);
    assert.equal(source.destroyed, true);
  });

  for (const [what, size] of [
    ['shorter', 11],
    ['longer', 9],
  ] as const) {
    it(`is destroyed if a body is ${what} than its entry says`, async () => {
      const entry = { ...bodies.entry('file', Buffer.alloc(10)), size };
      await assert.rejects(pack([entry]));
      assert.equal(bodies.open, 0);
    });
  }

  it('is destroyed with the error of a body, before an archive that ends well', async () => {
    const failure = new Error('body');
    const stage = new TarPack();
    const out: Buffer[] = [];
    stage.on('data', (chunk: Buffer) => out.push(chunk));
    const body = bodies.failing(failure, Buffer.alloc(5));
    const closed = new Promise((resolve) => stage.once('error', resolve));
    stage.end({ name: 'file', type: 'file', size: 10, body } satisfies ArchiveEntry);
    assert.equal(await closed, failure);
    assert.equal(stage.readableEnded, false);
    assert.equal(bodies.open, 0);
    assert.ok(Buffer.concat(out).length < 1024);
  });

  it('never ends well if a blob does not match the digest in its name', async () => {
    const entry = bodies.entry(entryNameOf(digestOf('one')), Buffer.from('two'));
    await assert.rejects(runStage([entry], new VerifyDigests(), new TarPack()), { code: 'ERR_DIGEST_MISMATCH' });
  });
});

/** A line of `tar -tv`. */
function line(mode: string, size: number, name: string): RegExp {
  return new RegExp(`^${mode} 0/0 +${size} 1970-01-01 00:00:00 ${name}$`, 'm');
}

function empty(name: string, ...parts: readonly Uint8Array[]): ArchiveEntry {
  return { name, type: 'file', size: 0, body: bodies.of(...parts) };
}
