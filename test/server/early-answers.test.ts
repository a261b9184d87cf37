import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';
import { leasesOf, stateOf } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { chunk, dial, uploadHead, type Wire } from '../fixtures/wire.js';

const LINGER_MS = 300;
const FILLER = Buffer.alloc(16 * 1024);

/** Sends until the connection ends, like a client that reads no answers. Returns what it received. */
async function sendOn(wire: Wire): Promise<string> {
  const over = wire.over();
  while (!wire.isOver()) await Promise.race([wire.send(chunk(FILLER)), over]);
  return wire.text();
}

async function upload({ socket }: Engine, first: Uint8Array, query?: string, extra?: readonly string[]): Promise<Wire> {
  const wire = await dial({ path: socket });
  await wire.send(uploadHead(query, extra));
  await wire.send(chunk(first));
  return wire;
}

async function archiveOf(): Promise<Buffer> {
  const built = example();
  return await layoutArchive(built.images, built.blobs);
}

/** A store whose disk fails. */
function failingStore(): Store {
  const store = new MemoryStore();
  store.session = async () => {
    throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  return store;
}

const GARBAGE = Buffer.alloc(1024, 'x');

for (const { what, status, query, options } of [
  { what: 'a bad archive', status: 400 },
  { what: 'a bad parameter', status: 400, query: 'platform=x' },
  { what: 'an archive beyond the limit', status: 503, options: { maxTransfers: 0 } },
  { what: 'an archive that the disk does not take', status: 500, options: { store: failingStore() } },
] as const) {
  for (const extra of [[], ['Connection: close']] as const) {
    test(`answers the sender of ${what}, and then ends the connection (${extra.join() || 'keep-alive'})`, async (t) => {
      const engine = await startEngine(t, { lingerMs: LINGER_MS, ...options });
      const wire = await upload(engine, GARBAGE, query, extra);
      const text = await sendOn(wire);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.match(text, /\{"message":".+"\}$/);
    });
  }
}

test('answers a client at once, though it sends nothing more', async (t) => {
  const { socket } = await startEngine(t, { idleMs: 60_000, lingerMs: LINGER_MS });
  const wire = await dial({ path: socket });
  await wire.send(uploadHead());
  await wire.send(chunk(GARBAGE));
  await wire.received(/^HTTP\/1\.1 400 /);
  await wire.over();
});

test('reports a damaged blob at once, though the client sends nothing more', async (t) => {
  const engine = await startEngine(t, { idleMs: 60_000, lingerMs: LINGER_MS });
  const built = example();
  const archive = await layoutArchive(built.images, built.blobs);
  const { layers = [] } = built.blobs.links(built.of('linux/arm/v7').digest);
  const layer = built.blobs.bytes(layers.at(-1)?.digest ?? built.root.digest);
  const last = archive.indexOf(layer) + layer.length - 1;
  archive.writeUInt8(archive.readUInt8(last) ^ 1, last);
  // The server finds the damage while it waits for more bytes.
  const wire = await upload(engine, archive.subarray(0, -1024));
  await wire.received(/^HTTP\/1\.1 422 /);
  await wire.over();
});

test('reports an error in the middle of the answer, and then ends it', async (t) => {
  const engine = await startEngine(t, { lingerMs: LINGER_MS });
  const wire = await upload(engine, (await archiveOf()).subarray(0, -1024), 'quiet=0');
  await wire.received('Loaded blob');
  await wire.send(chunk(GARBAGE));
  const text = await sendOn(wire);
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.match(text, /"errorDetail"/);
  const { text: metrics } = await engine.request('GET', '/metrics');
  assert.match(metrics, /^lading_errors_total\{code="ERR_\w+"\} 1$/m);
});

test('keeps a connection whose refused upload was sent to its end', async (t) => {
  const engine = await startEngine(t, { lingerMs: LINGER_MS, maxTransfers: 0 });
  const wire = await upload(engine, GARBAGE);
  await wire.received(/^HTTP\/1\.1 503 /);
  await wire.send(chunk());
  await wire.send('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await wire.received(/ok\n/);
});

test('ends a body that no route reads', async (t) => {
  const { socket } = await startEngine(t, { lingerMs: LINGER_MS });
  const wire = await dial({ path: socket });
  await wire.send('POST /v1.52/images/a/tag?repo=b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.match(await sendOn(wire), /^HTTP\/1\.1 404 /);
});

test('ends an upload that is broken HTTP', async (t) => {
  const engine = await startEngine(t);
  const before = await stateOf(engine.store);
  const archive = await archiveOf();
  const wire = await upload(engine, archive.subarray(0, 5000));
  await wire.send('this is no chunk\r\n');
  assert.match(await wire.over(), /^HTTP\/1\.1 400 /);
  await until(() => engine.audit.length === 1, 'the load is over');
  assert.deepEqual(await stateOf(engine.store), before);
  assert.deepEqual(await leasesOf(engine.store), []);
});

test('does not answer broken HTTP in the middle of another answer', async (t) => {
  const engine = await startEngine(t);
  const wire = await upload(engine, (await archiveOf()).subarray(0, -1024), 'quiet=0');
  await wire.received('Loaded blob');
  await wire.send('this is no chunk\r\n');
  assert.equal((await wire.over()).match(/HTTP\/1\.1/g)?.length, 1);
});
