import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { PipeEntries, type PipeEntry } from '../../src/archives/pipe-entries.js';
import { PipeInput } from '../../src/archives/pipe-input.js';
import { PipeReader } from '../../src/archives/pipe-reader.js';
import { kernel } from '../../src/files/kernel.js';
import { openEntries } from '../../src/load/archive-entries.js';
import { LadingError } from '../../src/model/errors.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';
import { chunksOf } from '../fixtures/loading.js';
import { pipeFromTest } from '../fixtures/named-pipe.js';
import { openFiles } from '../fixtures/open-files.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { seededBytes, seededRandom } from '../fixtures/seeded.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';

const skip = kernel() === undefined && 'the package koffi is not here';

const LARGE = 700_000;

/** Entries of all kinds, some with large bodies. */
const ENTRIES: readonly TarEntry[] = [
  { name: 'oci-layout', body: Buffer.from('{}') },
  { name: 'blobs/', type: 'directory' },
  { name: 'empty', body: Buffer.alloc(0) },
  { name: 'large', body: seededBytes('large', 5 * LARGE + 1) },
  { name: 'block', body: seededBytes('block', 512) },
  { name: 'link', type: 'symlink', linkname: 'block' },
  { name: `folder/${'long'.repeat(40)}`, body: seededBytes('long', LARGE) },
  { name: 'last', body: seededBytes('last', LARGE + 511) },
];

/** Opens the bytes as a pipe. */
async function openPiped(t: TestContext, bytes: Buffer): Promise<{ entries: PipeEntries; close: () => Promise<void> }> {
  const { fd, writer, end } = await pipeFromTest(t);
  const reader = PipeReader.open(fd);
  assert.ok(reader);
  end();
  writer.end(bytes);
  const entries = new PipeEntries(new PipeInput(reader), DEFAULT_LIMITS);
  const close = async (): Promise<void> => {
    entries.destroy();
    await reader.end();
  };
  return { entries, close };
}

interface Read {
  readonly name: string;
  readonly type: string;
  readonly body: Buffer;
}

type Use = (entry: PipeEntry) => Promise<Buffer>;

/** The ways to use a body. */
async function usesIn(t: TestContext): Promise<Readonly<Record<string, Use>>> {
  const folder = await temporaryFolder(t);
  let files = 0;
  return {
    read: async ({ body }) => await bytesOf(body),
    skipped: async (entry) => {
      await entry.skip();
      return Buffer.alloc(0);
    },
    poured: async ({ poured, body }) => {
      if (poured === undefined) return await bytesOf(body);
      const file = path.join(folder, `${(files += 1)}`);
      const target = openSync(file, 'w');
      assert.equal(await poured.pour(target), poured.size);
      return readFileSync(file);
    },
    begun: async ({ body }) => {
      for await (const chunk of body) return Buffer.from(chunk);
      return Buffer.alloc(0);
    },
  };
}

/** Every entry, each body used in one of the ways. */
async function readAll(t: TestContext, bytes: Buffer, useOf: () => Use): Promise<readonly Read[]> {
  const { entries, close } = await openPiped(t, bytes);
  const read: Read[] = [];
  try {
    for await (const entry of entries as AsyncIterable<PipeEntry>) {
      const { name, type } = entry;
      read.push({ name, type, body: type === 'file' ? await useOf()(entry) : Buffer.alloc(0) });
    }
  } finally {
    await close();
  }
  return read;
}

/** The same entries as the stages read them from a stream. */
async function streamed(bytes: Buffer): Promise<readonly Read[]> {
  const { entries, close } = await openEntries(Readable.from(chunksOf(bytes)), {
    limits: DEFAULT_LIMITS,
    threads: false,
  });
  const read: Read[] = [];
  try {
    for await (const { name, type, body } of entries) read.push({ name, type, body: await bytesOf(body) });
  } finally {
    await close();
  }
  return read;
}

test('reads the entries that a stream has, whichever way each body is used', { skip }, async (t) => {
  const bytes = await tarOf(ENTRIES);
  const expected = await streamed(bytes);
  const uses = Object.entries(await usesIn(t));
  const random = seededRandom('uses of bodies');
  for (let round = 0; round < 12; round += 1) {
    const chosen: string[] = [];
    const read = await readAll(t, bytes, () => {
      const [what, use] = uses[round < uses.length ? round : random.int(uses.length)] ?? assert.fail();
      chosen.push(what);
      return use;
    });
    assert.deepEqual(
      read.map(({ name, type }) => [name, type]),
      expected.map(({ name, type }) => [name, type]),
    );
    const bodies = read.filter(({ type }) => type === 'file');
    for (const [at, { name, body }] of bodies.entries()) {
      const whole = expected.find((other) => other.name === name)?.body;
      if (chosen[at] === 'read' || chosen[at] === 'poured') assert.ok(whole?.equals(body), `${name}, ${chosen[at]}`);
    }
  }
});

/** The code and message of the error that ends it. */
async function errorOf(run: () => Promise<unknown>): Promise<readonly string[]> {
  const error = await run().catch((thrown: unknown) => thrown);
  assert.ok(error instanceof LadingError, String(error));
  return [error.code, error.message];
}

test('refuses an archive that is cut as a stream does, whichever way its bodies are used', { skip }, async (t) => {
  const bytes = await tarOf(ENTRIES);
  const random = seededRandom('cuts');
  const cuts = [0, 1, 511, 512, 513, 1024, bytes.length - 1, bytes.length - 512, bytes.length - 1024];
  for (let round = 0; round < 12; round += 1) cuts.push(random.int(bytes.length));
  const uses = Object.values(await usesIn(t));
  for (const [round, cut] of cuts.entries()) {
    const prefix = bytes.subarray(0, cut);
    const use = uses[round % uses.length] ?? assert.fail();
    const expected = await errorOf(async () => await streamed(prefix));
    assert.deepEqual(await errorOf(async () => await readAll(t, prefix, () => use)), expected, `cut at ${cut}`);
  }
});

test('ends with ERR_ABORTED when it is destroyed while its writer stands still', { skip }, async (t) => {
  const bytes = await tarOf(ENTRIES);
  for (const sent of [0, 300, 2_000_000]) {
    const before = openFiles();
    const { fd, writer, end } = await pipeFromTest(t);
    const reader = PipeReader.open(fd);
    assert.ok(reader);
    writer.write(bytes.subarray(0, sent));
    const entries = new PipeEntries(new PipeInput(reader), DEFAULT_LIMITS);
    const work = (async () => {
      for await (const { body, type } of entries as AsyncIterable<PipeEntry>) if (type === 'file') await bytesOf(body);
    })();
    setTimeout(() => entries.destroy(new LadingError('ERR_ABORTED', 'enough')), 100);
    await assert.rejects(work, { code: 'ERR_ABORTED' });
    await reader.end();
    end();
    writer.destroy();
    await until(() => openFiles() <= before, 'all descriptors are closed');
  }
});

test('is not used for anything but a pipe', { skip }, async (t) => {
  const file = openSync(path.join(await temporaryFolder(t), 'file'), 'w+');
  assert.equal(PipeReader.open(file), undefined);
  assert.equal(PipeReader.open(openSync('/dev/null', 'r')), undefined);
});
