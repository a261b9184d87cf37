import assert from 'node:assert/strict';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import type { ArchiveEntry } from '../../src/stages/records.js';
import { TarExtract } from '../../src/stages/tar-extract.js';
import { TarGuard } from '../../src/stages/tar-guard.js';
import { seededBytes } from '../fixtures/seeded.js';
import { endBlocks, padded, rawEntry, rawHeader, tarOf } from '../fixtures/tar-builder.js';
import { atRest, sinkOf, stageSuite } from '../suites/stage-suite.js';
import { bytesOf } from '../suites/stored.js';
import { cut } from './bodies.js';
import { base256, longName, pax } from './tar-extensions.js';

interface Extracted extends Omit<ArchiveEntry, 'body'> {
  readonly bytes: Buffer;
}

/** All entries of an archive, read through TarGuard, with the bytes of their bodies. */
async function extract(archive: Uint8Array, chunkBytes = 65_536): Promise<readonly Extracted[]> {
  const entries: Extracted[] = [];
  const sink = sinkOf<ArchiveEntry>(async ({ body, ...entry }) => {
    entries.push({ ...entry, bytes: await bytesOf(body) });
  });
  await pipeline(cut(archive, chunkBytes), new TarGuard(DEFAULT_LIMITS), new TarExtract(), sink);
  return entries;
}

const large = Array.from({ length: 16 }, (_, at) => rawEntry({ name: `file-${at}` }, Buffer.alloc(1024 * 1024)));
stageSuite<Buffer, ArchiveEntry>('TarExtract', {
  make: () => new TarExtract(),
  inputs: () => cut(Buffer.concat([...large, endBlocks()]), 65_536) as Buffer[],
  read: async ({ body }) => void (await bytesOf(body)),
  maxAhead: 24,
});

describe('TarExtract', () => {
  it('emits name, type, size, link and body of every entry in order', async () => {
    const archive = await tarOf([
      { name: 'blobs/', type: 'directory' },
      { name: 'file', body: seededBytes('file', 70_000) },
      { name: 'empty' },
      { name: 'link', type: 'symlink', linkname: 'file' },
      { name: 'hard', type: 'link', linkname: 'file' },
      { name: 'last', body: Buffer.from('x') },
    ]);
    const entries = await extract(archive);
    assert.deepEqual(
      entries.map(({ name, type, size, linkname }) => [name, type, size, linkname]),
      [
        ['blobs/', 'directory', 0, undefined],
        ['file', 'file', 70_000, undefined],
        ['empty', 'file', 0, undefined],
        ['link', 'symlink', 0, 'file'],
        ['hard', 'link', 0, 'file'],
        ['last', 'file', 1, undefined],
      ],
    );
    assert.ok(entries[1]?.bytes.equals(seededBytes('file', 70_000)));
    assert.deepEqual(entries[5]?.bytes, Buffer.from('x'));
  });

  it('emits the same entries for any chunks of the input', async () => {
    const archive = await tarOf([
      { name: 'a', body: seededBytes('a', 1500) },
      { name: 'n'.repeat(300), body: seededBytes('n', 10) },
      { name: 'd', type: 'directory' },
      { name: 'b', body: seededBytes('b', 512) },
    ]);
    const whole = await extract(archive);
    for (const chunkBytes of [1, 7, 511, 512, 513]) assert.deepEqual(await extract(archive, chunkBytes), whole);
  });

  it('takes the size from a PAX record or from base-256, and names from either extension', async () => {
    const archive = Buffer.concat([
      pax({ size: '7', path: 'p'.repeat(200) }),
      rawHeader({ name: 'file' }),
      padded('content'),
      longName('L', 'n'.repeat(200)),
      rawHeader({ name: 'file', size: base256(7) }),
      padded('CONTENT'),
      endBlocks(),
    ]);
    assert.deepEqual(
      (await extract(archive)).map(({ name, size, bytes }) => [name, size, String(bytes)]),
      [
        ['p'.repeat(200), 7, 'content'],
        ['n'.repeat(200), 7, 'CONTENT'],
      ],
    );
  });

  it('emits nothing for an archive without entries', async () => {
    assert.deepEqual(await extract(endBlocks()), []);
  });

  it('emits the next entry after the body before it was read to its end', async () => {
    const archive = await tarOf(['a', 'b', 'c'].map((name) => ({ name, body: seededBytes(name, 100_000) })));
    const stage = new TarExtract();
    const entries: ArchiveEntry[] = [];
    stage.on('data', (entry: ArchiveEntry) => void entries.push(entry));
    stage.end(archive);
    for (const count of [1, 2, 3]) {
      await atRest(() => entries.length);
      assert.equal(entries.length, count);
      await bytesOf(entries.at(-1)!.body);
    }
    await atRest(() => Number(stage.readableEnded));
    assert.equal(stage.readableEnded, true);
  });

  it('holds few entries without a body if nothing is read', async () => {
    const directories = Array.from({ length: 2000 }, (_, at) => rawHeader({ name: `d-${at}/`, typeflag: '5' }));
    const stage = new TarExtract();
    stage.end(Buffer.concat([...directories, endBlocks()]));
    await atRest(() => stage.readableLength);
    assert.ok(stage.readableLength <= 2, `${stage.readableLength} entries wait`);
    let read = 0;
    for await (const _ of stage) read += 1;
    assert.equal(read, 2000);
  });

  it('goes on, or ends with an error, when a body is destroyed', async () => {
    const archive = await tarOf(['a', 'b'].map((name) => ({ name, body: seededBytes(name, 100_000) })));
    const names: string[] = [];
    const sink = sinkOf<ArchiveEntry>(async ({ name, body }) => {
      names.push(name);
      for await (const _ of body) break;
    });
    const outcome = await pipeline([archive], new TarExtract(), sink).then(
      () => 'ended',
      () => 'failed',
    );
    assert.ok(outcome === 'failed' || names.length === 2, `${outcome} after ${names.join(', ')}`);
  });

  it('fails the body that is being read when it is destroyed', async () => {
    const archive = await tarOf([{ name: 'a', body: seededBytes('a', 1024 * 1024) }]);
    const stage = new TarExtract();
    stage.write(archive.subarray(0, 200_000));
    const [entry] = (await stage.take(1).toArray()) as ArchiveEntry[];
    assert.ok(entry !== undefined);
    await assert.rejects(bytesOf(entry.body));
  });

  it('refuses an entry that TarGuard would refuse', async () => {
    for (const archive of [
      Buffer.alloc(2000, 'x'),
      Buffer.concat([rawHeader({ name: 'dev', typeflag: '3' }), endBlocks()]),
    ]) {
      await assert.rejects(
        pipeline(
          [archive],
          new TarExtract(),
          sinkOf(async () => {}),
        ),
        { category: 'invalid-archive' },
      );
    }
  });
});
