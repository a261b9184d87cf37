import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { layoutArchive, type LayoutOptions } from '../fixtures/archive-builder.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, type Example } from '../fixtures/example.js';
import { IS_ALL } from '../fixtures/extent.js';
import { ORDERS } from '../fixtures/loading.js';
import { endBlocks, rawEntry, rawHeader } from '../fixtures/tar-builder.js';
import { longName, pax } from '../stages/tar-extensions.js';
import { outcomeOf, type Outcome } from './outcome.js';

/** The results for all other sizes must equal that for the first one. */
const CHUNK_SIZES = [65_536, 1, 7, 511, 512, 513] as const;

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

function small(): Example {
  return example({ platforms: PLATFORMS, layers: 1, layerBytes: 300, attestations: true });
}

async function layoutOf({ images, blobs }: Example, options: LayoutOptions): Promise<Buffer> {
  return await layoutArchive(images, blobs, options);
}

/** Changes of a good archive that includes its end blocks. The first four leave it good. */
const CHANGES: Readonly<Record<string, (archive: Buffer) => Buffer>> = {
  good: (archive) => archive,
  'with long names': (archive) => before(archive, longName('L', 'a'.repeat(300)), rawEntry({ name: 'a' }, 'x')),
  'with PAX records': (archive) =>
    before(archive, pax({ path: 'ä'.repeat(200), mtime: '1.5' }), rawEntry({ name: 'a' }, 'x')),
  'with zeros at its end': (archive) => Buffer.concat([archive, Buffer.alloc(9000)]),
  'cut short': (archive) => archive.subarray(0, Math.floor(archive.length * 0.6)),
  'without end blocks': (archive) => archive.subarray(0, -endBlocks().length),
  'with something behind its end': (archive) => Buffer.concat([archive, Buffer.alloc(700), Buffer.from('x')]),
  'with one zero block inside': (archive) => before(archive, Buffer.alloc(512), rawHeader({ name: 'a' })),
  'with a changed header': (archive) => before(archive, rawHeader({ name: 'a', checksum: '000000\0 ' })),
  'with a size that is too large': (archive) => before(archive, rawHeader({ name: 'a', size: 10_000_000 })),
  'with a broken PAX record': (archive) => before(archive, rawEntry({ name: 'p', typeflag: 'x' }, '99 path=a\n')),
  'with a name outside the archive': (archive) => before(archive, rawEntry({ name: '../a' }, 'x')),
  'with a second index.json': (archive) => before(archive, rawEntry({ name: 'index.json' }, '{}')),
  'with a changed byte in its middle': (archive) => changed(archive, Math.floor(archive.length / 2)),
};

/** Puts entries in front of the end blocks. */
function before(archive: Buffer, ...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([archive.subarray(0, -endBlocks().length), ...entries, endBlocks()]);
}

function changed(archive: Buffer, at: number): Buffer {
  const copy = Buffer.from(archive);
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

async function assertSame(archive: Buffer): Promise<Outcome> {
  const [first, ...others] = CHUNK_SIZES;
  const expected = await outcomeOf(archive, { chunkBytes: first });
  for (const chunkBytes of others) {
    assert.deepEqual(await outcomeOf(archive, { chunkBytes }), expected, `in chunks of ${chunkBytes} bytes`);
  }
  return expected;
}

for (const order of IS_ALL ? ORDERS : ORDERS.slice(0, 1)) {
  for (const [what, change] of Object.entries(CHANGES)) {
    test(`has the same result in chunks of any size: a layout ${what}, order ${order}`, async () => {
      const outcome = await assertSame(change(await layoutOf(small(), { order })));
      assert.equal('blobs' in outcome, Object.keys(CHANGES).indexOf(what) < 4, JSON.stringify(outcome));
    });
  }
}

for (const what of ['good', 'cut short', 'with something behind its end', 'with a changed byte in its middle']) {
  const change = (archive: Buffer): Buffer => CHANGES[what]?.(archive) ?? archive;

  test(`has the same result in chunks of any size: a docker-archive ${what}`, async () => {
    const built = small();
    const image = dockerImageOf(built.blobs, built.of('linux/amd64'), ['example/app:1']);
    const outcome = await assertSame(change(await dockerArchive([image], { compressedLayers: true })));
    assert.equal('blobs' in outcome, what === 'good', JSON.stringify(outcome));
  });

  test(`is accepted or refused in chunks of any size alike: a gzipped layout ${what}`, async () => {
    const archive = change(gzipSync(await layoutOf(small(), {})));
    for (const chunkBytes of CHUNK_SIZES) {
      // Which error is found first, gzip's checksum or a blob's digest, depends on how far zlib reads ahead.
      const outcome = await outcomeOf(archive, { chunkBytes });
      assert.equal('blobs' in outcome, what === 'good', `in chunks of ${chunkBytes} bytes: ${JSON.stringify(outcome)}`);
    }
  });
}
