import { createCipheriv, createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import fs from 'fs-extra';
import { entryNameOf } from '../src/model/archive-layout.js';
import type { Descriptor } from '../src/model/descriptor.js';
import { Digester, digestOf, type Digest } from '../src/model/digest.js';
import { MEDIA_TYPES } from '../src/model/media-types.js';
import { endBlocks, rawHeader } from '../test/fixtures/tar-builder.js';

/** A written layer: its descriptor, and the digest of its tar. */
export interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Writes a layer into an OCI layout directory: a gzip tar with one file of incompressible bytes, the same for the same
 * seed. `bytes` is the file's size; the blob is a few hundred bytes larger for each MiB. Holds a few MiB.
 */
export async function writeLayer(layout: string, seed: string, bytes: number): Promise<Layer> {
  return bytes > SMALL_BYTES ? await streamLayer(layout, seed, bytes) : await writeSmallLayer(layout, seed, bytes);
}

/** A layer up to this size is made in memory, without streams, so that 10 000 of them take only seconds. */
const SMALL_BYTES = 64 * 1024;

async function writeSmallLayer(layout: string, seed: string, bytes: number): Promise<Layer> {
  const tar = Buffer.concat([...tarOf(seed, bytes)]);
  const blob = gzipSync(tar, { level: 0 });
  const digest = digestOf(blob);
  await fs.outputFile(path.join(layout, entryNameOf(digest)), blob);
  return describe(digest, blob.length, digestOf(tar));
}

async function streamLayer(layout: string, seed: string, bytes: number): Promise<Layer> {
  const [diff, packed] = [new Digester(), new Digester()];
  const temporary = path.join(layout, 'layer.part');
  // Level 0: the bytes cannot be compressed anyway, and a higher level would take a minute for each GiB.
  const gzip = createGzip({ level: 0, chunkSize: CHUNK_BYTES });
  await pipeline(Readable.from(tarOf(seed, bytes)), through(diff), gzip, through(packed), createWriteStream(temporary));
  const digest = packed.digest();
  const blob = path.join(layout, entryNameOf(digest));
  await mkdir(path.dirname(blob), { recursive: true });
  await rename(temporary, blob);
  return describe(digest, packed.size, diff.digest());
}

function describe(digest: Digest, size: number, diffId: Digest): Layer {
  return { descriptor: { mediaType: MEDIA_TYPES.ociLayerGzip, digest, size }, diffId };
}

function* tarOf(seed: string, size: number): Generator<Buffer> {
  yield rawHeader({ name: `data/${seed}`, size });
  yield* keystream(seed, size);
  yield Buffer.alloc((512 - (size % 512)) % 512);
  yield endBlocks();
}

/** The bytes of `seededBytes`, in chunks. */
function* keystream(seed: string, size: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let left = size; left > 0; left -= CHUNK_BYTES) yield cipher.update(zeros.subarray(0, left));
}

function through(digester: Digester): (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (source) {
    for await (const chunk of source) {
      digester.update(chunk);
      yield chunk;
    }
  };
}
