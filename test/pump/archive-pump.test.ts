import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { kernel } from '../../src/files/kernel.js';
import { canPump, pumpArchive } from '../../src/pump/archive-pump.js';
import { SMALL_BYTES, type BlobEntry, type PumpEntry } from '../../src/pump/pump-tasks.js';
import { isInsideEntry } from '../fixtures/cut-archive.js';
import { pipeToTest } from '../fixtures/named-pipe.js';
import { openFiles } from '../fixtures/open-files.js';
import { blobEntry, flipLast, LARGE, mixture, packed, pumped, type Harm } from '../fixtures/pumping.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { waitsForPipe } from '../fixtures/waiting.js';

const skip = kernel() === undefined && 'the package koffi is not here';

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

async function replaced(file: string, make: () => Promise<unknown>): Promise<void> {
  await rm(file);
  await make();
}

for (const [what, [code, harm]] of Object.entries(HARMS)) {
  test(`ends the archive inside an entry if a file ${what}`, { skip }, async (t) => {
    // Without and with large bodies enough for threads that hash beside.
    for (const at of [0, 1, 4, 10, 11, 14]) {
      const folder = await temporaryFolder(t);
      const entries: BlobEntry[] = [];
      for (const size of [2000, LARGE, 600, 2000, SMALL_BYTES + 1, ...(at >= 10 ? [3 * LARGE] : [])]) {
        entries.push(await blobEntry(folder, `${entries.length}`, size));
      }
      await harm(entries[at % 10]?.file ?? '');
      const { archive, error } = await pumped(t, entries);
      assert.equal(error?.code, code);
      assert.ok(isInsideEntry(archive.length, entries), `cut at ${archive.length}`);
    }
  });
}

test('waits for a reader who stands still, and ends if it is aborted', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const entries = [await blobEntry(folder, 'a', 1000), await blobEntry(folder, 'b', LARGE)];
  const { fd } = await pipeToTest(t);
  const controller = new AbortController();
  const work = pumpArchive(fd, entries, { signal: controller.signal });
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
    const work = pumpArchive(fd, entries, { signal: controller.signal });
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
    const before = openFiles();
    const { fd, reader, end } = await pipeToTest(t);
    const work = pumpArchive(fd, entries);
    let sent = 0;
    reader.on('data', (chunk) => {
      sent += chunk.length;
      if (sent >= limit) reader.destroy();
    });
    await assert.rejects(work, { code: 'EPIPE' });
    end();
    await until(() => openFiles() <= before, 'all descriptors are closed');
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
