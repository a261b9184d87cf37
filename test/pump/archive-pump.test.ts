import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { kernel } from '../../src/files/kernel.js';
import { digestOf } from '../../src/model/digest.js';
import { canPump, pumpArchive } from '../../src/pump/archive-pump.js';
import { SMALL_BYTES, type BlobEntry, type PumpEntry } from '../../src/pump/pump-tasks.js';
import { TarPack } from '../../src/stages/tar-pack.js';
import { isInsideEntry } from '../fixtures/cut-archive.js';
import { pipeToTest } from '../fixtures/named-pipe.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { seededBytes } from '../fixtures/seeded.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { waitsForPipe } from '../fixtures/waiting.js';

const skip = kernel() === undefined && 'the package koffi is not here';

const LARGE = 3 * 1024 * 1024 + 77;

/** A file with seeded bytes, as an entry. */
async function blobEntry(folder: string, seed: string, size: number): Promise<BlobEntry> {
  const bytes = seededBytes(seed, size);
  const file = path.join(folder, seed);
  await writeFile(file, bytes);
  const digest = digestOf(bytes);
  return { name: `blobs/sha256/${digest.slice(7)}`, type: 'file', size, mode: 0o444, file, digest };
}

function bytesEntry(name: string, bytes: Buffer): PumpEntry {
  return { name, type: 'file', size: bytes.length, mode: 0o644, bytes };
}

/** The archive that the stages make of the same entries. */
async function packed(entries: readonly PumpEntry[]): Promise<Buffer> {
  const pack = new TarPack();
  const written = bytesOf(pack);
  for (const entry of entries) {
    const body = 'bytes' in entry ? entry.bytes : readFileSync(entry.file);
    pack.write({
      ...entry,
      body: (async function* () {
        yield body;
      })(),
    });
  }
  pack.end();
  return await written;
}

/** Pumps into a pipe that is read to its end. Returns what came out, and the error if there was one. */
async function pumped(
  t: TestContext,
  entries: readonly PumpEntry[],
  { meanwhile, signal }: { readonly meanwhile?: (sent: number) => Promise<void>; readonly signal?: AbortSignal } = {},
): Promise<{ readonly archive: Buffer; readonly error: NodeJS.ErrnoException | undefined }> {
  const before = readdirSync('/proc/self/fd').length;
  const { fd, reader, end } = await pipeToTest(t);
  const work = pumpArchive(fd, entries, signal).then(
    () => undefined,
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  void work.finally(end);
  const chunks: Buffer[] = [];
  let sent = 0;
  for await (const chunk of reader) {
    await meanwhile?.((sent += (chunk as Buffer).length));
    chunks.push(chunk as Buffer);
  }
  const error = await work;
  await until(() => readdirSync('/proc/self/fd').length <= before, 'no descriptor stays open');
  return { archive: Buffer.concat(chunks), error };
}

/** Entries of every kind and of sizes near each border. */
async function mixture(t: TestContext): Promise<readonly PumpEntry[]> {
  const folder = await temporaryFolder(t);
  const sizes = [1, 511, 512, 513, 10_000, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, SMALL_BYTES + 512, LARGE];
  const files = [];
  for (const size of [...sizes, ...sizes.toReversed(), LARGE - 77, 5 * LARGE]) {
    files.push(await blobEntry(folder, `${files.length}`, size));
  }
  return [
    bytesEntry('oci-layout', Buffer.from('{}')),
    bytesEntry('index.json', seededBytes('index', 2 * SMALL_BYTES + 5)),
    { name: 'blobs/', type: 'directory', size: 0, mode: 0o755, bytes: Buffer.alloc(0) },
    ...files,
  ];
}

test('writes the bytes that the stages write', { skip }, async (t) => {
  const entries = await mixture(t);
  const { archive, error } = await pumped(t, entries);
  assert.equal(error, undefined);
  assert.ok(archive.equals(await packed(entries)));
});

test('writes an archive of small blobs, and one of large blobs', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  for (const [count, size] of [
    [1500, 3000],
    [12, SMALL_BYTES * 3],
  ] as const) {
    const entries = [];
    for (let at = 0; at < count; at += 1) entries.push(await blobEntry(folder, `${size}-${at}`, size));
    const { archive, error } = await pumped(t, entries);
    assert.equal(error, undefined);
    assert.ok(archive.equals(await packed(entries)));
  }
});

type Harm = (file: string) => Promise<unknown>;

const HARMS: Readonly<Record<string, readonly [code: string, harm: Harm]>> = {
  'has a wrong byte': ['ERR_DIGEST_MISMATCH', async (file) => await flipLast(file)],
  'is cut': ['ERR_SIZE_MISMATCH', async (file) => await truncate(file, 100)],
  'is empty': ['ERR_SIZE_MISMATCH', async (file) => await truncate(file, 0)],
  'is too long': ['ERR_SIZE_MISMATCH', async (file) => await writeFile(file, 'more', { flag: 'a' })],
  'is gone': ['ERR_BLOB_MISSING', async (file) => await rm(file)],
  'is a link': [
    'ERR_STORE_TAMPERED',
    async (file) => await replaced(file, async () => await symlink('/etc/passwd', file)),
  ],
  'is a folder': ['ERR_STORE_TAMPERED', async (file) => await replaced(file, async () => await mkdir(file))],
};

/** Changes the last byte in place: the size of the file stays. */
async function flipLast(file: string): Promise<void> {
  const last = readFileSync(file).at(-1) ?? 0;
  const handle = await open(file, 'r+');
  await handle.write(Buffer.of(last ^ 1), 0, 1, (await handle.stat()).size - 1);
  await handle.close();
}

async function replaced(file: string, make: () => Promise<unknown>): Promise<void> {
  await rm(file);
  await make();
}

for (const [what, [code, harm]] of Object.entries(HARMS)) {
  test(`ends the archive inside an entry if a file ${what}`, { skip }, async (t) => {
    for (const at of [0, 1, 4]) {
      const folder = await temporaryFolder(t);
      const entries: BlobEntry[] = [];
      for (const size of [2000, LARGE, 600, 2000, SMALL_BYTES + 1]) {
        entries.push(await blobEntry(folder, `${entries.length}`, size));
      }
      await harm(entries[at]?.file ?? '');
      const { archive, error } = await pumped(t, entries);
      assert.equal(error?.code, code);
      assert.ok(isInsideEntry(archive.length, entries), `cut at ${archive.length}`);
    }
  });
}

test('notices a file that is overwritten while it is written, also with its old time', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const entry = await blobEntry(folder, 'changing', 20 * LARGE);
  const { atime, mtime } = await stat(entry.file);
  let isChanged = false;
  const { archive, error } = await pumped(t, [entry], {
    meanwhile: async (sent) => {
      if (isChanged || sent < LARGE) return;
      isChanged = true;
      // The thread that hashes has read the file by then, or reads it now.
      await flipLast(entry.file);
      await utimes(entry.file, atime, mtime);
    },
  });
  assert.ok(isChanged);
  assert.equal(error?.code, 'ERR_DIGEST_MISMATCH');
  assert.ok(isInsideEntry(archive.length, [entry]));
});

/** Changes that come when the writer is in the middle of a body. The first ones leave the bytes of the entry alone. */
const CHANGES: Readonly<Record<string, readonly [code: string | undefined, change: Harm]>> = {
  grows: [undefined, async (file) => await writeFile(file, 'more', { flag: 'a' })],
  'is touched': [undefined, async (file) => await utimes(file, 1, 1)],
  shrinks: ['ERR_SIZE_MISMATCH', async (file) => await truncate(file, LARGE)],
  'is emptied': ['ERR_SIZE_MISMATCH', async (file) => await truncate(file, 0)],
  'is rewritten': [
    'ERR_DIGEST_MISMATCH',
    async (file) => await writeFile(file, seededBytes('other', 20 * LARGE), { flag: 'r+' }),
  ],
};

for (const [what, [code, change]] of Object.entries(CHANGES)) {
  test(`writes the right bytes, or none that look whole, if a file ${what} meanwhile`, { skip }, async (t) => {
    for (const from of [1, LARGE, 15 * LARGE]) {
      const folder = await temporaryFolder(t);
      const entries = [await blobEntry(folder, 'changing', 20 * LARGE), await blobEntry(folder, 'next', LARGE)];
      const expected = await packed(entries);
      let isChanged = false;
      const { archive, error } = await pumped(t, entries, {
        meanwhile: async (sent) => {
          if (!isChanged && sent >= from) await change(entries[0]?.file ?? '');
          isChanged ||= sent >= from;
        },
      });
      // Some readers are faster than the writer, which then reads the file as it was before.
      if (error === undefined) assert.ok(archive.equals(expected), `changed after ${from}`);
      else assert.ok(error.code === code && isInsideEntry(archive.length, entries), `${error.code} after ${from}`);
      if (code === undefined) assert.equal(error, undefined);
    }
  });
}

test('leaves nothing in the pipe that a later change of the file could change', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  // All of it fits the pipe, and the writer ends before anything is read.
  const entries = [await blobEntry(folder, 'a', 300_000), await blobEntry(folder, 'b', 500_000)];
  const expected = await packed(entries);
  const { fd, reader, end } = await pipeToTest(t);
  await pumpArchive(fd, entries);
  // In place: a file that is cut first gets other pages.
  for (const { file, size } of entries) await writeFile(file, Buffer.alloc(size, 'changed'), { flag: 'r+' });
  const written = bytesOf(reader);
  end();
  assert.ok((await written).equals(expected));
});

test('goes on if a file is moved while it is written', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const entry = await blobEntry(folder, 'moving', 20 * LARGE);
  const expected = await packed([entry]);
  let isMoved = false;
  const { archive, error } = await pumped(t, [entry], {
    meanwhile: async () => {
      if (!isMoved) await rename(entry.file, `${entry.file}.elsewhere`);
      isMoved = true;
    },
  });
  assert.equal(error, undefined);
  assert.ok(archive.equals(expected));
});

test('waits for a reader who stands still, and ends if it is aborted', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const entries = [await blobEntry(folder, 'a', 1000), await blobEntry(folder, 'b', LARGE)];
  const { fd } = await pipeToTest(t);
  const controller = new AbortController();
  const work = pumpArchive(fd, entries, controller.signal);
  setTimeout(() => controller.abort(), 300);
  await assert.rejects(work, { code: 'ERR_ABORTED' });
});

test('ends inside an entry if it is aborted when the pipe is full, wherever the pipe was cut', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const small: PumpEntry[] = [];
  for (let at = 0; at < 1200; at += 1) small.push(await blobEntry(folder, `small-${at}`, at % 2 === 0 ? 100 : 600));
  for (let pages = 0; pages < 5; pages += 1) {
    // Fills the pipe, which takes whole pages, up to another block.
    const entries = [await blobEntry(folder, `first-${pages}`, SMALL_BYTES + 512 + pages * 4096), ...small];
    const { fd, reader, end } = await pipeToTest(t);
    const controller = new AbortController();
    const work = pumpArchive(fd, entries, controller.signal);
    await until(() => waitsForPipe(process.pid), 'the pipe is full');
    controller.abort();
    await assert.rejects(work, { code: 'ERR_ABORTED' });
    end();
    const { length } = await bytesOf(reader);
    assert.ok(length > 1_000_000 && isInsideEntry(length, entries), `cut at ${length}`);
  }
});

test('aborts before the first byte', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const { archive, error } = await pumped(t, [await blobEntry(folder, 'a', LARGE)], { signal: AbortSignal.abort() });
  assert.deepEqual([error?.code, archive.length], ['ERR_ABORTED', 0]);
});

test('aborts at any moment', { skip }, async (t) => {
  const entries = await mixture(t);
  for (const limit of [1, 70_000, 400_000, 5_000_000, 12_000_000]) {
    const controller = new AbortController();
    const { archive, error } = await pumped(t, entries, {
      signal: controller.signal,
      meanwhile: async (sent) => {
        if (sent >= limit) controller.abort();
      },
    });
    if (error === undefined) assert.ok(archive.equals(await packed(entries)));
    else assert.equal(error.code, 'ERR_ABORTED');
    assert.ok(error === undefined || isInsideEntry(archive.length, entries), `cut at ${archive.length}`);
  }
});

test('fails with EPIPE if the reader goes away', { skip }, async (t) => {
  const entries = await mixture(t);
  for (const limit of [0, 70_000, 5_000_000]) {
    const before = readdirSync('/proc/self/fd').length;
    const { fd, reader, end } = await pipeToTest(t);
    const work = pumpArchive(fd, entries);
    let sent = 0;
    reader.on('data', (chunk) => {
      sent += chunk.length;
      if (sent >= limit) reader.destroy();
    });
    await assert.rejects(work, { code: 'EPIPE' });
    end();
    await until(() => readdirSync('/proc/self/fd').length <= before, 'all descriptors are closed');
  }
});

test('leaves the descriptor that it was given as it was', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const { fd, reader } = await pipeToTest(t);
  const flags = (): string | undefined => /flags:\t(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  const before = flags();
  reader.resume();
  await pumpArchive(fd, [await blobEntry(folder, 'a', LARGE)]);
  assert.equal(flags(), before);
});

test('is used for a large archive into a pipe alone', { skip }, async (t) => {
  const { fd, reader } = await pipeToTest(t);
  const large = [{ name: 'a', size: 64 * 1024 * 1024 }];
  assert.equal(canPump(fd, large), true);
  assert.equal(canPump(fd, [{ name: 'a', size: 1000 }]), false, 'a small archive');
  assert.equal(canPump(fd, [...large, { name: 'é', size: 1 }]), false, 'a name that needs more than a header');
  for (const file of ['/dev/null', path.join(await temporaryFolder(t), 'file')]) {
    const other = openSync(file, 'w');
    assert.equal(canPump(other, large), false, file);
    closeSync(other);
  }
  reader.destroy();
  await until(() => !canPump(fd, large), 'a pipe without a reader is left to the stream');
});
