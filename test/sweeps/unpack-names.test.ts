import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { createGzip } from 'node:zlib';
import { Digester } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { PROBE_VARIABLE, type ProbeReport } from '../../benchmarks/probe.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { runCommand } from '../fixtures/command.js';
import { fill, temporaryFolder } from '../fixtures/stores.js';
import { endBlocks } from '../fixtures/tar-builder.js';
import { projectRoot } from '../fixtures/tables.js';
import { IMAGE } from '../fixtures/unpacking.js';
import { tinyEntries } from './tiny-entries.js';

const MAX_RSS_BYTES = 192 * 1024 * 1024;

/** The entries of each layer: how many, and the number in the name of the first. */
type Layers = readonly (readonly [count: number, first: number])[];

async function addLayer(blobs: BlobSet, [count, first]: Layers[number]) {
  const diff = new Digester();
  function* bytes(): Generator<Buffer> {
    for (const piece of tinyEntries(count, first)) {
      diff.update(piece);
      yield piece;
    }
    diff.update(endBlocks());
    yield endBlocks();
  }
  const packed: Buffer[] = [];
  for await (const piece of Readable.from(bytes()).pipe(createGzip({ level: 1 }))) packed.push(piece as Buffer);
  return { descriptor: blobs.descriptor(Buffer.concat(packed), MEDIA_TYPES.ociLayerGzip), diffId: diff.digest() };
}

interface Unpacked {
  readonly status: number | null;
  readonly stderr: string;
  readonly peakRssBytes: number;
}

/** Unpacks the image as a tar that nobody keeps: half a million files would take a disk for minutes. */
async function unpackOf(t: TestContext, layers: Layers): Promise<Unpacked> {
  const folder = await temporaryFolder(t);
  const blobs = new BlobSet();
  const made = [];
  for (const layer of layers) made.push(await addLayer(blobs, layer));
  const rootfs = { type: 'layers', diff_ids: made.map(({ diffId }) => diffId) };
  const config = blobs.document({ os: 'linux', architecture: 'amd64', rootfs }, MEDIA_TYPES.ociConfig);
  const manifest = { schemaVersion: 2, config, layers: made.map(({ descriptor }) => descriptor) };
  const descriptor = blobs.document({ ...manifest, mediaType: MEDIA_TYPES.ociManifest }, MEDIA_TYPES.ociManifest);
  const store = path.join(folder, 'store');
  await fill(await OciLayoutStore.open(store), [{ name: IMAGE, descriptor }], blobs);
  const report = path.join(folder, 'probe.json');
  const probe = path.join(projectRoot(), 'build', 'benchmarks', 'probe.js');
  const words = [process.execPath, '--import', probe, LADING, 'unpack', '--platform', 'linux/amd64', '--store', store];
  const env = { [PROBE_VARIABLE]: report };
  const { status, stderr } = await runCommand('sh', ['-c', `exec ${words.join(' ')} ${IMAGE} - > /dev/null`], { env });
  const { peakRssBytes } = JSON.parse(await readFile(report, 'utf8')) as ProbeReport;
  return { status, stderr, peakRssBytes };
}

for (const [what, layers] of Object.entries({
  'one layer': [[499_997, 0]],
  'ten layers': Array.from({ length: 10 }, (_, at) => [at === 9 ? 49_997 : 50_000, at * 50_000] as const),
} satisfies Record<string, Layers>)) {
  test(`unpacks 500 000 names in ${what} within 192 MiB`, async (t) => {
    const { status, stderr, peakRssBytes } = await unpackOf(t, layers);
    assert.equal(status, 0, stderr);
    t.diagnostic(`${Math.round(peakRssBytes / 1024 / 1024)} MiB`);
    assert.ok(peakRssBytes <= MAX_RSS_BYTES, `${peakRssBytes} bytes`);
  });
}

test('refuses 1 000 000 empty files, in one layer and in many, within 192 MiB', async (t) => {
  for (const layers of [[[1_000_000, 0]], Array.from({ length: 4 }, (_, at) => [250_000, at * 250_000] as const)]) {
    const { status, stderr, peakRssBytes } = await unpackOf(t, layers as Layers);
    assert.deepEqual([status, /\[ERR_LIMIT_ENTRIES\]/.test(stderr)], [5, true], stderr);
    assert.ok(peakRssBytes <= MAX_RSS_BYTES, `${peakRssBytes} bytes`);
  }
});
