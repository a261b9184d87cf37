import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { entryNameOf } from '../src/model/archive-layout.js';
import type { Descriptor } from '../src/model/descriptor.js';
import { Digester, type Digest } from '../src/model/digest.js';
import { bytesOf } from './fixture.js';
import type { Sample } from './measure.js';

/** Bytes that a command may write beside blobs: its lists, its output, and the names of blobs that it claims. */
const BESIDE_BYTES = 1024 * 1024;
const BESIDE_BYTES_EACH = 256;

const CHUNK_BYTES = 1024 * 1024;

/** Throws unless a store, or an unpacked archive, has exactly these blobs, each with the bytes of its digest. */
export async function checkBlobs(folder: string, expected: readonly Descriptor[]): Promise<void> {
  const entries = [...new Set(expected.map(({ digest }) => entryNameOf(digest)))].toSorted();
  const found = await readdir(path.join(folder, 'blobs', 'sha256'));
  assert.deepEqual(found.map((name) => `blobs/sha256/${name}`).toSorted(), entries, `the blobs in ${folder}`);
  for (const { digest } of expected) {
    assert.equal(await digestOfFile(path.join(folder, entryNameOf(digest))), digest, `a blob in ${folder}`);
  }
}

/** Throws if a run wrote more to the store than the blobs and what belongs to them. */
export function checkWritten(samples: readonly Sample[], blobs: readonly Descriptor[]): void {
  const most = bytesOf(blobs) + BESIDE_BYTES + blobs.length * BESIDE_BYTES_EACH;
  for (const { probed } of samples) {
    assert.ok(probed !== undefined, 'the run reported what it wrote');
    assert.ok(probed.writtenBytes <= most, `${probed.writtenBytes} bytes written, where ${most} are enough`);
  }
}

async function digestOfFile(file: string): Promise<Digest> {
  const digester = new Digester();
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) digester.update(chunk as Buffer);
  return digester.digest();
}
