import assert from 'node:assert/strict';
import { rename, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { kernel } from '../../src/files/kernel.js';
import { pumpArchive } from '../../src/pump/archive-pump.js';
import { isInsideEntry } from '../fixtures/cut-archive.js';
import { pipeToTest } from '../fixtures/named-pipe.js';
import { blobEntry, flipLast, LARGE, packed, pumped, type Harm } from '../fixtures/pumping.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { seededBytes } from '../fixtures/seeded.js';
import { temporaryFolder } from '../fixtures/stores.js';

/* Files that change while a pump writes them. */

const skip = kernel() === undefined && 'the package koffi is not here';

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
