import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { openSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readAll } from '../../../../src/content/check-document.js';
import { SharedFile, type FilePart } from '../../../../src/files/file-part.js';
import { readFileChunks } from '../../../../src/files/read-file.js';
import { digestOf, type Digest } from '../../../../src/model/digest.js';
import { LadingError } from '../../../../src/model/errors.js';
import { CopyWorkers } from '../../../../src/stores/layout/ingest/copy-workers.js';
import type { FileIngestOptions } from '../../../../src/stores/layout/ingest/file-ingest.js';
import { PartCopier } from '../../../../src/stores/layout/ingest/part-copier.js';
import { seededBytes } from '../../../fixtures/seeded.js';
import { mountTmpfs } from '../../../fixtures/small-disk.js';
import { temporaryFolder } from '../../../fixtures/stores.js';
import { openFds } from '../../../fixtures/until.js';

const BYTES = seededBytes('part', 40 * 1024 * 1024);
const SIGNAL = new AbortController().signal;

interface Stand {
  readonly folder: string;
  readonly part: (start: number, size: number) => FilePart;
  readonly copier: (workers?: CopyWorkers) => { readonly copying: PartCopier; readonly end: () => Promise<void> };
}

async function stand(t: TestContext): Promise<Stand> {
  const folder = await temporaryFolder(t);
  const source = path.join(folder, 'source');
  await writeFile(source, BYTES);
  let ingests = 0;
  const newIngest = (): FileIngestOptions => ({
    file: path.join(folder, `ingest-${(ingests += 1)}`),
    claimBlobPath: (digest) => path.join(folder, digest),
    onLinked: () => {},
  });
  return {
    folder,
    part: (start, size) => ({ file: new SharedFile(() => openSync(source, 'r')), start, size }),
    copier: (workers = new CopyWorkers(2)) => {
      const copying = new PartCopier(newIngest, workers);
      return { copying, end: async () => await copying.end() };
    },
  };
}

/** A part that threads copy, since it is larger than the total that is copied without them. */
const PART = { start: 3, size: 30 * 1024 * 1024 } as const;
const WHOLE = BYTES.subarray(PART.start, PART.start + PART.size);
const EXPECTED = { digest: digestOf(WHOLE), size: PART.size, kind: 'blob' } as const;

test('copies small and large parts', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const fds = openFds();
  for (const size of [0, 1, 70_000, 300_000, 2_000_000, PART.size]) {
    const digest = digestOf(BYTES.subarray(5, 5 + size));
    assert.equal(await copying.copy(part(5, size), { digest, size, kind: 'blob' }, SIGNAL), 'stored');
    assert.equal(await copying.copy(part(5, size), { digest, size, kind: 'blob' }, SIGNAL), 'present');
    const file = { acquire: () => openSync(path.join(folder, digest), 'r'), release: () => {} };
    assert.equal(digestOf(await readAll(readFileChunks(file), PART.size)), digest);
  }
  await end();
  assert.ok(openFds() <= fds + 6, 'only what the test itself has opened');
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('ingest')),
    [],
  );
});

for (const [what, script] of [
  ['end in the middle of their work', "process.getBuiltinModule?.('x'); setTimeout(() => process.exit(1), 50);"],
  ['never start', 'no script'],
] as const) {
  test(`copies without threads if threads ${what}`, async (t) => {
    const { folder, part, copier } = await stand(t);
    const workers = new CopyWorkers(2, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    const { copying, end } = copier(workers);
    const other = { digest: digestOf(BYTES.subarray(0, PART.size)), size: PART.size, kind: 'blob' } as const;
    const outcomes = await Promise.all([
      copying.copy(part(PART.start, PART.size), EXPECTED, SIGNAL),
      copying.copy(part(0, PART.size), other, SIGNAL),
    ]);
    assert.deepEqual(outcomes, ['stored', 'stored']);
    await end();
    for (const { digest } of [EXPECTED, other]) {
      const file = { acquire: () => openSync(path.join(folder, digest), 'r'), release: () => {} };
      assert.equal(digestOf(await readAll(readFileChunks(file), PART.size)), digest);
    }
  });
}

test('stores nothing that does not match its digest and size', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  for (const [start, size, code] of [
    [PART.start + 1, PART.size, 'ERR_DIGEST_MISMATCH'],
    [BYTES.length - PART.size + 1, PART.size, 'ERR_SIZE_MISMATCH'],
  ] as const) {
    await assert.rejects(copying.copy(part(start, size), EXPECTED, SIGNAL), { code });
  }
  await end();
  assert.deepEqual(await readdir(folder), ['source']);
});

test('ends a copy when it is aborted', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const controller = new AbortController();
  const going = copying.copy(part(PART.start, PART.size), EXPECTED, controller.signal);
  controller.abort();
  await assert.rejects(going, { code: 'ERR_ABORTED' });
  await end();
  assert.deepEqual(await readdir(folder), ['source']);
});

test('leaves no file if a part, small or large, cannot be opened', async (t) => {
  const { folder, copier } = await stand(t);
  const { copying, end } = copier();
  const fds = openFds();
  for (const size of [1000, PART.size]) {
    const file = new SharedFile(() => openSync(path.join(folder, 'nothing'), 'r'));
    await assert.rejects(copying.copy({ file, start: 0, size }, { ...EXPECTED, size }, SIGNAL), /ENOENT/);
  }
  await end();
  assert.ok(openFds() <= fds);
  assert.deepEqual(await readdir(folder), ['source']);
});

/** So many parts that all but the first few hundred go to a thread. */
const SMALL = Array.from({ length: 1000 }, (_, at) => {
  const [start, size] = [at * 4000, at % 100 === 0 ? 200_000 : 10_000 + at];
  return { start, size, digest: digestOf(BYTES.subarray(start, start + size)) };
});

async function copySmall(copying: PartCopier, part: Stand['part']): Promise<readonly string[]> {
  return await Promise.all(
    SMALL.map(
      async ({ start, size, digest }) => await copying.copy(part(start, size), { digest, size, kind: 'blob' }, SIGNAL),
    ),
  );
}

async function assertStored(folder: string, digests: readonly Digest[]): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name !== 'source');
  assert.deepEqual(names.toSorted(), [...digests].sort());
  for (const digest of digests) assert.equal(digestOf(await readFile(path.join(folder, digest))), digest);
}

test('leaves no listener on a signal that lives longer', async (t) => {
  const { part, copier } = await stand(t);
  const { copying, end } = copier();
  const { signal } = new AbortController();
  await copying.copy(part(PART.start, PART.size), EXPECTED, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  await end();
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('stores many small parts, with their mode, and reports those that are present', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const fds = openFds();
  for (const expected of ['stored', 'present']) {
    const outcomes = await copySmall(copying, part);
    assert.deepEqual([...new Set(outcomes)], [expected]);
  }
  await end();
  await assertStored(
    folder,
    SMALL.map(({ digest }) => digest),
  );
  for (const { digest } of SMALL) assert.equal((await stat(path.join(folder, digest))).mode & 0o777, 0o400);
  assert.ok(openFds() <= fds + 6);
});

test('refuses the damaged ones of many small parts, with codes and details, and stores the others', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const wrong = digestOf('something else');
  const outcomes = await Promise.allSettled(
    SMALL.map(async ({ start, size, digest }, at) => {
      if (at % 10 === 3) return await copying.copy(part(start, size), { digest: wrong, size, kind: 'blob' }, SIGNAL);
      if (at % 10 === 7)
        return await copying.copy(part(BYTES.length - 5, size), { digest, size, kind: 'blob' }, SIGNAL);
      return await copying.copy(part(start, size), { digest, size, kind: 'blob' }, SIGNAL);
    }),
  );
  await end();
  for (const [at, outcome] of outcomes.entries()) {
    const { size, digest } = SMALL[at] as (typeof SMALL)[number];
    if (outcome.status === 'fulfilled') assert.ok(at % 10 !== 3 && at % 10 !== 7);
    else {
      const { code, details } = outcome.reason as LadingError;
      const [expectedCode, expectedDetails] =
        at % 10 === 3
          ? ['ERR_DIGEST_MISMATCH', { digest: wrong, actual: digest }]
          : ['ERR_SIZE_MISMATCH', { digest, expected: size, size: 5 }];
      assert.ok(outcome.reason instanceof LadingError);
      assert.deepEqual([code, details], [expectedCode, expectedDetails]);
    }
  }
  const good = SMALL.filter((_, at) => at % 10 !== 3 && at % 10 !== 7);
  await assertStored(
    folder,
    good.map(({ digest }) => digest),
  );
});

test('reports a disk that refuses small parts', async (t) => {
  const { folder, part, copier } = await stand(t);
  const workers = new CopyWorkers(1);
  const { end } = copier(workers);
  const copying = new PartCopier(
    () => ({ file: path.join(folder, 'nowhere', 'ingest'), claimBlobPath: (digest) => digest, onLinked: () => {} }),
    workers,
  );
  workers.isWorth(PART.size);
  const { start, size, digest } = SMALL[1] as (typeof SMALL)[number];
  await assert.rejects(copying.copy(part(start, size), { digest, size, kind: 'blob' }, SIGNAL), {
    code: 'ERR_STORAGE_IO',
    message: /ENOENT/,
  });
  await end();
});

test('ends many small copies when they are aborted, and leaves only whole blobs', async (t) => {
  const { folder, part, copier } = await stand(t);
  const { copying, end } = copier();
  const controller = new AbortController();
  let done = 0;
  const outcomes = await Promise.allSettled(
    SMALL.map(async ({ start, size, digest }) => {
      const outcome = await copying.copy(part(start, size), { digest, size, kind: 'blob' }, controller.signal);
      if ((done += 1) === 500) controller.abort();
      return outcome;
    }),
  );
  await end();
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as LadingError] : []));
  assert.ok(failed.length > 0);
  assert.deepEqual([...new Set(failed.map(({ code }) => code))], ['ERR_ABORTED']);
  await assertStored(
    folder,
    SMALL.filter((_, at) => outcomes[at]?.status === 'fulfilled').map(({ digest }) => digest),
  );
});

test('stores small parts without a thread if one ends in the middle of them', async (t) => {
  const { folder, part, copier } = await stand(t);
  // Leaves temporary files, as a thread that ended would.
  const script = `
    import { writeFileSync } from 'node:fs';
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', (message) => {
      for (const { file } of JSON.parse(message)) writeFileSync(file, 'half');
      process.exit(1);
    });`;
  const workers = new CopyWorkers(2, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
  const { copying, end } = copier(workers);
  const outcomes = await copySmall(copying, part);
  await end();
  assert.deepEqual([...new Set(outcomes)], ['stored']);
  await assertStored(
    folder,
    SMALL.map(({ digest }) => digest),
  );
});

test('reports as stored what a thread stored before it ended without an answer', async (t) => {
  const { folder, part, copier } = await stand(t);
  const script = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', (message) => {
      const source = readFileSync(${JSON.stringify(path.join(folder, 'source'))});
      for (const { start, size, blob } of JSON.parse(message)) writeFileSync(blob, source.subarray(start, start + size));
      process.exit(1);
    });`;
  const workers = new CopyWorkers(1, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
  const { copying, end } = copier(workers);
  const outcomes = await copySmall(copying, part);
  await end();
  assert.deepEqual([...new Set(outcomes)], ['stored']);
});

test('reports a full disk as a write error, for small and large parts', async (t) => {
  const disk = await mountTmpfs(t, '4m');
  if (disk === undefined) return;
  const { part } = await stand(t);
  const workers = new CopyWorkers(1);
  let ingests = 0;
  const copying = new PartCopier(
    () => ({
      file: path.join(disk, `ingest-${(ingests += 1)}`),
      claimBlobPath: (digest) => path.join(disk, digest),
      onLinked: () => {},
    }),
    workers,
  );
  workers.isWorth(PART.size);
  const full = { code: 'ERR_NO_SPACE', message: /^cannot write a blob: no space left/ };
  await assert.rejects(copying.copy(part(PART.start, PART.size), EXPECTED, SIGNAL), full);
  const outcomes = await Promise.allSettled(
    SMALL.map(
      async ({ start, size, digest }) => await copying.copy(part(start, size), { digest, size, kind: 'blob' }, SIGNAL),
    ),
  );
  await copying.end();
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as LadingError] : []));
  assert.ok(failed.length > 0);
  for (const { code, message } of failed) {
    assert.equal(code, 'ERR_NO_SPACE');
    assert.match(message, /^cannot (?:write|start|store) a blob/);
  }
  assert.deepEqual(
    (await readdir(disk)).filter((name) => name.startsWith('ingest')),
    [],
  );
});
