import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { LoadSource } from '../../src/load/archive-entries.js';
import type { LoadOptions } from '../../src/load/load-images.js';
import { LadingError } from '../../src/model/errors.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutEntries } from '../fixtures/archive-builder.js';
import { blobPath, type ArchiveOrder } from '../fixtures/archive-entries.js';
import { example } from '../fixtures/example.js';
import { load, ORDERS } from '../fixtures/loading.js';
import { stateOf, temporaryFolder } from '../fixtures/stores.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';

type Fault = (entries: readonly TarEntry[]) => readonly TarEntry[];

const { images, blobs, of, root } = example();
const manifest = of('linux/arm64').digest;
const [first, second] = (blobs.links(manifest).layers ?? []).map(({ digest }) => blobPath(digest));
const config = blobPath(blobs.links(manifest).config?.digest ?? manifest);

function changed(name: string | undefined, change: (body: Buffer) => Buffer): Fault {
  return (entries) =>
    entries.map((entry) => (entry.name === name ? { ...entry, body: changedBody(entry, change) } : entry));
}

function changedBody({ body = Buffer.alloc(0) }: TarEntry, change: (body: Buffer) => Buffer): Buffer {
  return change(Buffer.from(body));
}

function flipped(body: Buffer): Buffer {
  body.writeUInt8(body.readUInt8(body.length - 2) ^ 1, body.length - 2);
  return body;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'a flipped bit in a layer': changed(first, flipped),
  'a flipped bit in another layer': changed(second, flipped),
  'a flipped bit in a config': changed(config, flipped),
  'a flipped bit in an index': changed(blobPath(root.digest), flipped),
  'a flipped bit in a manifest': changed(blobPath(manifest), flipped),
  'a short manifest': changed(blobPath(manifest), (body) => body.subarray(1)),
  'a missing layer': (entries) => entries.filter(({ name }) => name !== second),
  'a name that leads out': (entries) => [...entries, { name: '../x', body: Buffer.from('x') }],
  'other bytes under one name': (entries) => [...entries, { name: first ?? '', body: Buffer.from('other') }],
  'a broken index.json': changed('index.json', () => Buffer.from('{')),
};

async function archiveWith(order: ArchiveOrder, ...faults: readonly string[]): Promise<Buffer> {
  const sound: readonly TarEntry[] = layoutEntries(images, blobs, { order });
  return await tarOf(faults.reduce((entries, fault) => FAULTS[fault]?.(entries) ?? entries, sound));
}

/** The error of a refused load, which left nothing. An image that misses a layer loads if all platforms are wanted. */
async function refusalOf(source: Buffer | LoadSource, options: LoadOptions): Promise<string> {
  const store = new MemoryStore();
  const error: unknown = await load(store, source, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return 'loaded';
  assert.ok(error instanceof LadingError);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
  return `${error.code} ${error.message}`;
}

/** The errors from a pipe and from a file. */
async function refusalsOf(t: TestContext, bytes: Buffer, options: LoadOptions): Promise<readonly [string, string]> {
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  await writeFile(file, bytes);
  return [await refusalOf(bytes, options), await refusalOf(file, options)];
}

const NAMES = Object.keys(FAULTS);
const OPTIONS: Readonly<Record<string, LoadOptions>> = { all: {}, 'one platform': { platforms: ['linux/arm64'] } };

for (const order of ORDERS) {
  for (const [what, options] of Object.entries(OPTIONS)) {
    test(`tells one fault in the same words from a pipe and a file, order ${order}, ${what}`, async (t) => {
      for (const fault of NAMES) {
        const [pipe, file] = await refusalsOf(t, await archiveWith(order, fault), options);
        assert.equal(pipe, file, fault);
      }
    });

    test(`tells one of two faults from a pipe and a file, order ${order}, ${what}`, async (t) => {
      const alone = new Map<string, string>();
      for (const fault of NAMES) alone.set(fault, await refusalOf(await archiveWith(order, fault), options));
      for (const [at, a] of NAMES.entries()) {
        for (const b of NAMES.slice(at + 1)) {
          const told = await refusalsOf(t, await archiveWith(order, a, b), options);
          for (const error of told) assert.ok([alone.get(a), alone.get(b)].includes(error), `${a}, ${b}: ${error}`);
        }
      }
    });
  }
}
