import assert from 'node:assert/strict';
import { readdir, unlink } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { download, startEngineStand, uploadFile, type EngineStand } from '../fixtures/engine-process.js';
import { IS_ALL } from '../fixtures/extent.js';
import { writeImageArchive } from '../fixtures/image-archive.js';

const MIB = 1024 * 1024;

/** `LADING_LOAD=full` takes the promised sizes; else smaller ones, with the same limit of memory. */
const isFull = process.env['LADING_LOAD'] === 'full';
const SOME_CLIENTS = IS_ALL ? 32 : 6;
const CLIENTS = isFull ? 64 : SOME_CLIENTS;
const IMAGE_BYTES = (isFull ? 64 : 8) * MIB;

interface Bench extends EngineStand {
  /** Writes an archive of an image `NAME:1`. */
  readonly archive: (name: string, bytes?: number) => Promise<string>;
}

async function bench(t: TestContext): Promise<Bench> {
  const stand = await startEngineStand(t);
  const archive = async (name: string, bytes = IMAGE_BYTES): Promise<string> =>
    await writeImageArchive(path.join(stand.folder, `${name}.tar`), name, bytes);
  return { ...stand, archive };
}

test(`moves ${CLIENTS} saves and as many loads at once, every byte right, within 512 MiB`, async (t) => {
  const { engine, store, archive } = await bench(t);
  const stored = await archive('stored');
  await uploadFile(engine.socket, stored);
  const files: string[] = [];
  for (let at = 0; at < CLIENTS; at += 1) files.push(await archive(`new-${at}`));
  const loads = files.map(async (file) => await uploadFile(engine.socket, file));
  const saves = files.map(async () => await download(engine.socket, 'names=stored:1'));
  const saved = await Promise.all(saves);
  await Promise.all(loads);
  assert.equal(new Set(saved.map(({ bytes }) => bytes)).size, 1);
  assert.ok(engine.peakBytes() <= 512 * MIB, `peak RSS ${engine.peakBytes() / MIB} MiB`);
  const { problems, images } = await verifyImages(await OciLayoutStore.open(store));
  assert.deepEqual(problems, []);
  assert.equal(images.length, CLIENTS + 1);
  assert.deepEqual(await readdir(path.join(store, '.lading', 'leases')), []);
  for (const file of files) await unlink(file);
});

const READERS = 16;
const READ_BYTES = 64 * 1024;
const READS = isFull ? 30 : 4;

/** The pause after each 64 KiB. No test judges how long they take. */
const PAUSE_MS = isFull ? 1000 : 250;

/** Most of it stays unread, and to hold all of it for each reader would take far more memory than the limit. */
const LARGE_BYTES = (IS_ALL || isFull ? 64 : 16) * MIB;

test(`serves ${READERS} slow readers with at most 64 MiB more memory`, async (t) => {
  const { engine, archive } = await bench(t);
  await uploadFile(engine.socket, await archive('large', LARGE_BYTES));
  await download(engine.socket, 'names=large:1');
  const before = engine.residentBytes();
  let peak = before;
  const readers = Array.from({ length: READERS }, async () => await readSlowly(engine.socket));
  const watch = setInterval(() => {
    peak = Math.max(peak, engine.residentBytes());
  }, 50);
  await Promise.all(readers).finally(() => clearInterval(watch));
  assert.ok(peak - before <= 64 * MIB, `${(peak - before) / MIB} MiB more`);
});

/** Reads with a pause after each piece, then goes away. */
async function readSlowly(socketPath: string): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    http.get({ socketPath, path: '/images/get?names=large:1' }, resolve).once('error', reject);
  });
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes >= READS * READ_BYTES) break;
    await delay(PAUSE_MS * ((chunk as Buffer).length / READ_BYTES));
  }
}
