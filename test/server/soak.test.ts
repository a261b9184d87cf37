import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { download, startEngineStand, uploadFile, type EngineProcess } from '../fixtures/engine-process.js';
import { requestOver } from '../fixtures/engine.js';
import { IS_ALL } from '../fixtures/extent.js';
import { writeImageArchive } from '../fixtures/image-archive.js';
import { seededRandom } from '../fixtures/seeded.js';
import { until } from '../fixtures/until.js';

const MIB = 1024 * 1024;

/** How long it lasts at least: `LADING_SOAK_SECONDS=3600` is the promised hour. In `npm test` only steps count. */
const SECONDS = Number(process.env['LADING_SOAK_SECONDS'] ?? (IS_ALL ? 20 : 0));

/** Steps of each client at least. */
const MIN_STEPS = 16;
const WORKERS = 6;
const NAMES = ['one', 'two', 'three', 'four'] as const;

/** How much more memory the second half may take than the first: garbage that is not collected yet. */
const GROWTH_BYTES = 48 * MIB;

/** The server, and an archive of each image. */
interface Work {
  readonly engine: EngineProcess;
  readonly files: Readonly<Record<string, string>>;
}

interface Stand extends Work {
  readonly store: string;
}

/** One step of mixed work: `pick` is a number below 1, `name` an image. It may be removed already: 404 is fine. */
const STEPS: readonly ((work: Work, name: string, pick: number) => Promise<unknown>)[] = [
  async ({ engine, files }, name) => await uploadFile(engine.socket, files[name] ?? ''),
  async ({ engine, files }, name) => await uploadFile(engine.socket, files[name] ?? ''),
  async ({ engine }, name) => await download(engine.socket, `names=${name}:1`).catch(allowUnknown),
  async ({ engine }, name) => await ask(engine, 'POST', `/images/${name}:1/tag?repo=copy/${name}&tag=2`),
  async ({ engine }, name) => await ask(engine, 'DELETE', `/images/${name}:1`),
  async ({ engine }, name) => await ask(engine, 'DELETE', `/images/copy/${name}:2`),
  async ({ engine }) => await ask(engine, 'GET', '/images/json?manifests=1'),
  async ({ engine }, name) => await ask(engine, 'GET', `/images/${name}:1/json`),
  async ({ engine }) => await ask(engine, 'POST', '/images/prune'),
  async ({ engine }) => await ask(engine, 'GET', '/system/df'),
  async ({ engine }) => await ask(engine, 'GET', '/metrics'),
  async ({ engine, files }, name, pick) => await vanishUploading(engine, files[name] ?? '', pick),
  async ({ engine }, name, pick) => await vanishDownloading(engine, name, pick),
];

test(`does ${SECONDS} s of mixed work, at least ${MIN_STEPS} steps of each client, without growing`, async (t) => {
  const work = await start(t);
  const { engine } = work;
  const end = performance.now() + SECONDS * 1000;
  const sizes: number[] = [];
  const idle = engine.openFiles();
  const afterStep = (): void => void sizes.push(engine.residentBytes());
  await Promise.all(Array.from({ length: WORKERS }, async (_, seed) => await labour(work, seed, end, afterStep)));
  const half = Math.floor(sizes.length / 2);
  const [early, late] = [medianOf(sizes.slice(0, half)), medianOf(sizes.slice(half))];
  assert.ok(late - early <= GROWTH_BYTES, `${early / MIB} MiB, then ${late / MIB} MiB`);
  await until(() => engine.openFiles() <= idle, 'files are closed');
  await settled(work);
});

async function start(t: TestContext): Promise<Stand> {
  const { engine, folder, store } = await startEngineStand(t);
  const files: Record<string, string> = {};
  for (const name of NAMES) {
    files[name] = await writeImageArchive(path.join(folder, `${name}.tar`), name, 4 * MIB);
  }
  return { engine, files, store };
}

/** One client's work, until the time and its steps are over. */
async function labour(work: Work, seed: number, end: number, afterStep: () => void): Promise<void> {
  const random = seededRandom(`soak-${seed}`);
  for (let steps = 0; steps < MIN_STEPS || performance.now() < end; steps += 1) {
    await random.pick(STEPS)(work, random.pick(NAMES), random.int(1000) / 1000);
    afterStep();
  }
}

async function ask({ socket }: EngineProcess, method: string, url: string): Promise<void> {
  const { status, text } = await requestOver({ socketPath: socket, agent: false }, method, `/v1.52${url}`);
  assert.ok(status < 300 || status === 404, `${method} ${url}: ${status} ${text}`);
}

/** Accepts the errors of an image that another client removed, before or during the save. */
function allowUnknown(error: Error): void {
  assert.match(error.message, /^404|aborted|ECONNRESET/);
}

async function vanishUploading({ socket }: EngineProcess, file: string, pick: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const request = http.request({ socketPath: socket, agent: false, method: 'POST', path: '/images/load' });
    request.once('error', () => {});
    request.once('close', resolve);
    const source = createReadStream(file, { end: Math.floor(pick * 4 * MIB) });
    source.once('end', () => request.destroy());
    source.pipe(request, { end: false });
  });
}

async function vanishDownloading({ socket }: EngineProcess, name: string, pick: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const request = http.get({ socketPath: socket, agent: false, path: `/images/get?names=${name}:1` }, (answer) => {
      let left = Math.floor(pick * 4 * MIB);
      answer.on('data', (chunk: Buffer) => {
        left -= chunk.length;
        if (left < 0) answer.destroy();
      });
      answer.once('error', () => {});
      answer.once('close', resolve);
    });
    request.once('error', () => resolve());
  });
}

/**
 * Every blob in the store matches its digest, and there is no half-written file and no claim but those of uploads that
 * vanished. A prune removes these.
 */
async function settled({ store: directory }: Stand): Promise<void> {
  const store = await OciLayoutStore.open(directory);
  const folder = path.join(directory, '.lading');
  const isQuiet = async (): Promise<boolean> => {
    await store.prune({ now: Date.now(), graceMs: 0, resumeMs: 0 });
    const left = await Promise.all(['ingest', 'leases'].map(async (name) => await readdir(path.join(folder, name))));
    return left.flat().length === 0;
  };
  await until(isQuiet, 'no ingest and no lease is left');
  const { problems } = await verifyImages(store);
  assert.deepEqual(problems, []);
}

function medianOf(sizes: readonly number[]): number {
  return sizes.toSorted((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
}
