import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { download, startEngineProcess, uploadFile } from '../test/fixtures/engine-process.js';
import { writeImageArchive } from '../test/fixtures/image-archive.js';
import { resultOf, type GrowthRow } from './growth-rows.js';

/** The series of more and more clients. */
export const CLIENTS = 'clients with 4 MiB';

const COUNTS = [1, 4, 16, 64];
const IMAGE_BYTES = 4 * 1024 * 1024;

interface Measured {
  readonly wallMs: number;
  readonly peakRssBytes: number;
}

/** Measures a server that many clients load into at once, and then save from. `folder` takes twice 256 MiB. */
export async function measureClients(
  folder: string,
  { rounds, onProgress }: { readonly rounds: number; readonly onProgress: (progress: string) => void },
): Promise<readonly GrowthRow[]> {
  const own = path.join(folder, 'clients');
  await mkdir(own);
  const rows: GrowthRow[] = [];
  try {
    for (const count of COUNTS) {
      onProgress(`measuring ${count} ${CLIENTS}`);
      rows.push({ series: CLIENTS, what: `${count}`, results: await measureCount(own, count, rounds) });
    }
  } finally {
    await rm(own, { recursive: true, force: true });
  }
  return rows;
}

async function measureCount(folder: string, count: number, rounds: number): Promise<GrowthRow['results']> {
  const names = Array.from({ length: count }, (_, at) => `client-${at}`);
  const files = new Map<string, string>();
  for (const name of names)
    files.set(name, await writeImageArchive(path.join(folder, `${name}.tar`), name, IMAGE_BYTES));
  const store = path.join(folder, 'store');
  const [loads, saves]: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    await rm(store, { recursive: true, force: true });
    loads.push(await atOnce(store, [...files.values()], uploadFile));
    saves.push(await atOnce(store, names, async (socket, name) => await download(socket, `names=${name}:1`)));
  }
  return { load: resultOf(loads), save: resultOf(saves) };
}

/** Runs all transfers at once against a server of their own, so that its peak memory is theirs. */
async function atOnce(
  store: string,
  items: readonly string[],
  transfer: (socket: string, item: string) => Promise<unknown>,
): Promise<Measured> {
  // The path of a socket may have 100 characters.
  const place = await mkdtemp(path.join(os.tmpdir(), 'lading-'));
  const engine = await startEngineProcess(store, path.join(place, 's'), ['--audit-log', '/dev/null']);
  try {
    const started = performance.now();
    await Promise.all(items.map(async (item) => await transfer(engine.socket, item)));
    return { wallMs: performance.now() - started, peakRssBytes: engine.peakBytes() };
  } finally {
    await engine.stop();
    await rm(place, { recursive: true, force: true });
  }
}
