import assert from 'node:assert/strict';
import { chmodSync, closeSync, openSync, readFileSync, truncateSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { planExport } from '../../src/export/plan-export.js';
import { exportImages } from '../../src/export/export-images.js';
import { writeArchive } from '../../src/export/write-archive.js';
import { OciLayoutStore } from '../../src/stores/index.js';
import { withReads } from '../../src/stores/with-reads.js';
import { example, NAME } from '../fixtures/example.js';
import { withLongDigest } from '../fixtures/long-digest.js';
import { pipeToTest } from '../fixtures/named-pipe.js';
import { bytesOf, HOST } from '../fixtures/saved-archive.js';
import { until } from '../fixtures/until.js';
import { leasesOf, onEachStore, storeOf, temporaryFolder } from '../fixtures/stores.js';

const large = example({ layers: 2, layerBytes: 4_000_000, compression: 'none' });
const small = example();

for (const [what, built] of [
  ['large', large],
  ['small', small],
] as const) {
  for (const native of [true, false]) {
    onEachStore(`writes a ${what} archive into a pipe as a stream has it, native: ${native}`, async (open, t) => {
      const store = await storeOf(open, built);
      const plan = await planExport(store, [NAME], { hostPlatform: HOST });
      const expected = await bytesOf(exportImages(store, plan));
      const { fd, reader, end } = await pipeToTest(t);
      const work = writeArchive(store, plan, { fd, native }).finally(end);
      assert.ok((await bytesOf(reader)).equals(expected));
      await work;
      assert.deepEqual(await leasesOf(store), []);
    });
  }
}

test('fails before the first byte if a blob was removed or cut since the plan was made', async (t) => {
  for (const [damage, code] of [
    [unlinkSync, 'ERR_BLOB_MISSING'],
    [cut, 'ERR_SIZE_MISMATCH'],
  ] as const) {
    const folder = await temporaryFolder(t);
    const store = await storeOf(async () => await OciLayoutStore.open(folder), large);
    const plan = await planExport(store, [NAME], { hostPlatform: HOST });
    const last = plan.entries.at(-1)?.name ?? '';
    damage(path.join(folder, last));
    const { fd, reader, end } = await pipeToTest(t);
    const work = writeArchive(store, plan, { fd }).finally(end);
    const [bytes] = await Promise.all([bytesOf(reader), assert.rejects(work, { code })]);
    assert.equal(bytes.length, 0, code);
    assert.deepEqual(await leasesOf(store), []);
  }
});

function cut(file: string): void {
  chmodSync(file, 0o600);
  truncateSync(file, 100);
}

onEachStore('writes an archive into a file', async (open, t) => {
  const store = await storeOf(open, large);
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  const fd = openSync(file, 'w');
  await writeArchive(store, plan, { fd, native: true });
  closeSync(fd);
  assert.ok(readFileSync(file).equals(await bytesOf(exportImages(store, plan))));
});

onEachStore('lets the function of withReads see every byte', async (open, t) => {
  const store = await storeOf(open, large);
  let seen = 0;
  const counted = withReads(store, async function* (chunks) {
    for await (const chunk of chunks) {
      seen += chunk.length;
      yield chunk;
    }
  });
  const plan = await planExport(counted, [NAME], { hostPlatform: HOST });
  const { fd, reader, end } = await pipeToTest(t);
  const work = writeArchive(counted, plan, { fd, native: true }).finally(end);
  const archive = await bytesOf(reader);
  await work;
  assert.ok(seen >= archive.length * 0.9);
});

onEachStore('writes a blob whose name needs more than one header', async (open, t) => {
  const built = example({ layers: 1, layerBytes: 9_000_000, compression: 'none', platforms: ['linux/amd64'] });
  const root = withLongDigest(built.blobs, built.of('linux/amd64'));
  const store = await storeOf(open, { blobs: built.blobs, root });
  const plan = await planExport(store, [NAME], { hostPlatform: HOST });
  const { fd, reader, end } = await pipeToTest(t);
  const work = writeArchive(store, plan, { fd, native: true }).finally(end);
  assert.ok((await bytesOf(reader)).equals(await bytesOf(exportImages(store, plan))));
  await work;
});

test('ends with ERR_ABORTED if it is aborted, large or small', async (t) => {
  for (const built of [large, small]) {
    const store = await storeOf(async () => await OciLayoutStore.open(await temporaryFolder(t)), built);
    const plan = await planExport(store, [NAME], { hostPlatform: HOST });
    const { fd, reader } = await pipeToTest(t);
    const work = writeArchive(store, plan, { fd, native: true, signal: AbortSignal.abort() });
    await assert.rejects(work, { code: 'ERR_ABORTED' });
    reader.destroy();
    // A stream ends its lease a moment after its error.
    await until(async () => (await leasesOf(store)).length === 0, 'the lease has ended');
  }
});
