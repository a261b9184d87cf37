import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { DAMAGES, flipBit } from '../fixtures/damage.js';
import { assertRefused, engineWithExample } from '../fixtures/engine-store.js';
import { example, type Example } from '../fixtures/example.js';
import { until } from '../fixtures/until.js';

/** Two 512-byte blocks of zeros: the end of a whole tar. */
const END = Buffer.alloc(1024);

function layerOf({ blobs, of }: Example): Descriptor {
  const [layer] = blobs.links(of('linux/amd64').digest).layers ?? [];
  assert.ok(layer);
  return layer;
}

interface Broken {
  readonly status: number;
  readonly expected: number;
  readonly body: Buffer;
  readonly error: unknown;
}

/** The bytes of an archive before the connection broke; `onStart` is called when the first have arrived. */
async function saveBroken(socketPath: string, onStart: () => Promise<void> = async () => {}): Promise<Broken> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ socketPath, path: '/images/get?names=example/app:1', agent: false }, resolve).once('error', reject);
  });
  const chunks: Buffer[] = [];
  let error: unknown;
  try {
    for await (const chunk of response) {
      if (chunks.length === 0) await onStart();
      chunks.push(chunk as Buffer);
    }
  } catch (thrown) {
    error = thrown;
  }
  const expected = Number(response.headers['content-length']);
  return { status: response.statusCode ?? 0, expected, body: Buffer.concat(chunks), error };
}

function assertBroken({ status, expected, body, error }: Broken): void {
  assert.equal(status, 200);
  assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
  assert.ok(body.length < expected, `${body.length} of ${expected} bytes`);
  assert.ok(!body.subarray(-1024).equals(END), 'the archive ends well');
  assert.ok(!body.includes('"message"') && !body.includes('errorDetail'), 'JSON inside of the archive');
}

test('breaks the connection if a stored layer has changed', async (t) => {
  const { folder, socket, built, audit } = await engineWithExample(t);
  await flipBit(path.join(folder, blobPath(layerOf(built).digest)));
  assertBroken(await saveBroken(socket));
  assert.deepEqual(
    audit.map(({ action, code }) => [action, code]),
    [['save', 'ERR_DIGEST_MISMATCH']],
  );
});

test('breaks the connection if a blob goes away during the save', async (t) => {
  const built = example({ layerBytes: 8_000_000 });
  const { folder, socket } = await engineWithExample(t, { built });
  const layers = built.blobs.links(built.of('linux/arm/v7').digest).layers ?? [];
  const last = layers.at(-1);
  assert.ok(last);
  assertBroken(await saveBroken(socket, async () => await rm(path.join(folder, blobPath(last.digest)))));
});

test('reports a damaged document as the status, before the archive starts', async (t) => {
  const { folder, request, built } = await engineWithExample(t);
  await flipBit(path.join(folder, blobPath(built.root.digest)));
  assertRefused(await request('GET', '/images/get?names=example/app:1'), 500, new RegExp(built.root.digest));
});

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`breaks or refuses a save if a layer ${what}, and releases its claims`, async (t) => {
    const { folder, socket, built } = await engineWithExample(t);
    await damage(path.join(folder, blobPath(layerOf(built).digest)));
    const broken = await saveBroken(socket);
    if (broken.status === 200) assertBroken(broken);
    else assert.deepEqual([broken.status, broken.error], [500, undefined]);
    const leases = path.join(folder, '.lading', 'leases');
    await until(async () => (await readdir(leases)).length === 0, 'the claims are gone');
  });
}

test('serves the next request after a save that broke', async (t) => {
  const { folder, socket, request, built } = await engineWithExample(t);
  await flipBit(path.join(folder, blobPath(layerOf(built).digest)));
  assertBroken(await saveBroken(socket));
  assert.equal((await request('GET', '/_ping')).status, 200);
});
