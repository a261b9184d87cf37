import assert from 'node:assert/strict';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { archiveChunks } from '../../src/pump/archive-chunks.js';
import { SMALL_BYTES, type BlobEntry, type PumpEntry } from '../../src/pump/pump-tasks.js';
import { isInsideEntry } from '../fixtures/cut-archive.js';
import { blobEntry, flipLast, LARGE, mixture, packed, type Harm } from '../fixtures/pumping.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { openFds, until } from '../fixtures/until.js';

interface Taken {
  readonly archive: Buffer;
  readonly error: NodeJS.ErrnoException | undefined;
}

/** Takes all chunks. `meanwhile` is called with each one before the next is asked for. */
async function taken(
  entries: readonly PumpEntry[],
  meanwhile: (bytes: number) => unknown = () => {},
  signal?: AbortSignal,
): Promise<Taken> {
  const fds = openFds();
  const chunks: Buffer[] = [];
  let error: NodeJS.ErrnoException | undefined;
  let bytes = 0;
  try {
    for await (const chunk of archiveChunks(entries, signal)) {
      chunks.push(Buffer.from(chunk));
      await meanwhile((bytes += chunk.length));
    }
  } catch (thrown) {
    error = thrown as NodeJS.ErrnoException;
  }
  await until(() => openFds() <= fds, 'all files are closed');
  return { archive: Buffer.concat(chunks), error };
}

test('gives the bytes that the stages write', async (t) => {
  const entries = await mixture(t);
  const { archive, error } = await taken(entries);
  assert.equal(error, undefined);
  assert.ok(archive.equals(await packed(entries)));
});

test('leaves the memory of a chunk as it is until the next chunk is asked for', async (t) => {
  const entries = await mixture(t);
  for await (const chunk of archiveChunks(entries)) {
    const before = Buffer.from(chunk);
    // Long enough for the thread to fill every other slot.
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(before.equals(chunk));
  }
});

test('lets every chunk but the last end inside an entry', async (t) => {
  const entries = await mixture(t);
  const { length } = await packed(entries);
  const { error } = await taken(entries, (bytes) => {
    assert.ok(bytes === length || isInsideEntry(bytes, entries), `cut at ${bytes}`);
  });
  assert.equal(error, undefined);
});

const HARMS: Readonly<Record<string, readonly [code: string, harm: Harm]>> = {
  'has a wrong byte': ['ERR_DIGEST_MISMATCH', flipLast],
  'is cut': ['ERR_SIZE_MISMATCH', async (file) => await truncate(file, 100)],
  'is too long': ['ERR_SIZE_MISMATCH', async (file) => await writeFile(file, 'more', { flag: 'a' })],
  'is gone': ['ERR_BLOB_MISSING', rm],
  'is a link': ['ERR_STORE_TAMPERED', async (file) => await rm(file).then(async () => await symlink('/etc', file))],
  'is a folder': ['ERR_STORE_TAMPERED', async (file) => await rm(file).then(async () => await mkdir(file))],
};

async function threeEntries(t: TestContext): Promise<readonly BlobEntry[]> {
  const folder = await temporaryFolder(t);
  const sizes = [2000, LARGE, 600, SMALL_BYTES + 1];
  return await Promise.all(sizes.map(async (size, at) => await blobEntry(folder, `${at}`, size)));
}

for (const [what, [code, harm]] of Object.entries(HARMS)) {
  test(`ends inside an entry if a file ${what}`, async (t) => {
    for (const at of [0, 1, 2, 3]) {
      const entries = await threeEntries(t);
      await harm(entries[at]?.file ?? '');
      const { archive, error } = await taken(entries);
      assert.equal(error?.code, code);
      assert.ok(isInsideEntry(archive.length, entries), `cut at ${archive.length}`);
    }
  });
}

const CHANGES: Readonly<Record<string, Harm>> = {
  'is rewritten': async (file) => await flipLast(file),
  'is cut': async (file) => await truncate(file, SMALL_BYTES),
  'is emptied': async (file) => await truncate(file, 0),
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`gives the right bytes, or none that look whole, if a file ${what} while it is read`, async (t) => {
    const folder = await temporaryFolder(t);
    for (const limit of [1, LARGE / 2, 3 * LARGE, 5 * LARGE]) {
      const entries = [await blobEntry(folder, `a-${limit}`, 5 * LARGE), await blobEntry(folder, `b-${limit}`, LARGE)];
      const whole = await packed(entries);
      let isDone = false;
      const { archive, error } = await taken(entries, async (bytes) => {
        if (bytes < limit || isDone) return;
        isDone = true;
        await change(entries[0]?.file ?? '');
      });
      if (error === undefined) assert.ok(archive.equals(whole));
      else assert.ok(isInsideEntry(archive.length, entries), `cut at ${archive.length}`);
    }
  });
}

test('aborts at any moment, and while nobody asks for the next chunk', async (t) => {
  const entries = await mixture(t);
  for (const limit of [1, 70_000, 5_000_000, 12_000_000]) {
    const controller = new AbortController();
    const abort = (bytes: number): void => {
      if (bytes >= limit) setTimeout(() => controller.abort(), 20);
    };
    const { archive, error } = await taken(
      entries,
      async (bytes) => {
        abort(bytes);
        if (bytes >= limit) await new Promise((resolve) => setTimeout(resolve, 50));
      },
      controller.signal,
    );
    assert.equal(error?.code, 'ERR_ABORTED');
    assert.ok(isInsideEntry(archive.length, entries), `cut at ${archive.length}`);
  }
});

test('aborts before the first chunk', async (t) => {
  const { archive, error } = await taken(await threeEntries(t), () => {}, AbortSignal.abort());
  assert.deepEqual([error?.code, archive.length], ['ERR_ABORTED', 0]);
});

test('ends its thread if its reader gives up', async (t) => {
  const fds = openFds();
  for await (const chunk of archiveChunks(await mixture(t))) if (chunk.length > 0) break;
  await until(() => openFds() <= fds, 'all files are closed');
});
