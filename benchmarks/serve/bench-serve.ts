import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, unlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  download,
  startEngineProcess,
  uploadFile,
  type EngineProcess,
  type Moved,
} from '../../test/fixtures/engine-process.js';
import { writeImageArchive } from '../../test/fixtures/image-archive.js';
import { compareSingle } from './single.js';

/*
 * Many transfers at once against the built `lading serve`: whether all succeed, how even they are, how fast other
 * requests are answered meanwhile, and what memory it takes. Then compares one save and one load over the socket with
 * the command's. `npm run bench:serve -- [--clients 64] [--mib 64] [--single-mib 512] [--dir /dev/shm]`.
 */

const MIB = 1024 * 1024;

interface Stand {
  readonly folder: string;
  readonly engine: EngineProcess;
  readonly archives: readonly string[];
  readonly names: readonly string[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '64' },
      mib: { type: 'string', default: '64' },
      'single-mib': { type: 'string', default: '512' },
      dir: { type: 'string', default: '/dev/shm' },
    },
  });
  const [clients, bytes] = [Number(values.clients), Number(values.mib) * MIB];
  const folder = await mkdtemp(path.join(values.dir, 'lading-serve-'));
  try {
    await runTransfers(folder, clients, bytes);
    await runSingle(folder, Number(values['single-mib']) * MIB);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runSingle(folder: string, bytes: number): Promise<void> {
  const socket = path.join(await mkdtemp(path.join(os.tmpdir(), 'lading-')), 's');
  for (const { what, command, socket: over } of await compareSingle(folder, socket, bytes)) {
    const [own = Number.NaN, served = Number.NaN] = [command, over].map((times) => times.toSorted((a, b) => a - b)[2]);
    print(
      `${what}: command ${own.toFixed(2)} s, over the socket ${served.toFixed(2)} s, ratio ${(own / served).toFixed(2)}`,
    );
  }
}

async function runTransfers(folder: string, clients: number, bytes: number): Promise<void> {
  const archives = path.join(folder, 'archives');
  await mkdir(archives);
  const socket = path.join(await mkdtemp(path.join(os.tmpdir(), 'lading-')), 's');
  const engine = await startEngineProcess(path.join(folder, 'store'), socket, ['--audit-log', '/dev/null']);
  try {
    const files: string[] = [];
    const names: string[] = [];
    for (let at = 0; at < clients; at += 1) {
      files.push(await writeImageArchive(path.join(archives, `new-${at}.tar`), `new-${at}`, bytes));
      const stored = await writeImageArchive(path.join(archives, 'stored.tar'), `stored-${at}`, bytes);
      await uploadFile(socket, stored);
      await unlink(stored);
      names.push(`stored-${at}:1`);
    }
    await measure({ folder, engine, archives: files, names });
  } finally {
    await engine.stop();
  }
}

async function measure({ engine, archives, names }: Stand): Promise<void> {
  const { socket } = engine;
  const idle = { resident: engine.residentBytes(), files: engine.openFiles(), cpu: engine.cpuSeconds() };
  const latency = startLatency(socket, ['/_ping', '/v1.52/images/json', `/v1.52/images/${names[0]}/json?manifests=1`]);
  const started = performance.now();
  const saves = names.map(async (name) => await download(socket, `names=${name}`));
  const loads = archives.map(async (file) => await uploadFile(socket, file));
  const [saved, loaded] = await Promise.all([Promise.all(saves), Promise.all(loads)]);
  const wall = performance.now() - started;
  report('saves', saved);
  report('loads', loaded);
  const moved = [...saved, ...loaded].reduce((sum, { bytes }) => sum + bytes, 0);
  print(`all: ${(wall / 1000).toFixed(2)} s, ${(moved / 1e6 / wall).toFixed(2)} GB/s`);
  print(`CPU of the server ${(engine.cpuSeconds() - idle.cpu).toFixed(1)} s`);
  print(`peak RSS ${Math.round(engine.peakBytes() / MIB)} MiB, before ${Math.round(idle.resident / MIB)} MiB`);
  print(`open files before ${idle.files}, after ${engine.openFiles()}`);
  for (const line of await latency()) print(line);
}

function report(what: string, moved: readonly Moved[]): void {
  const times = moved.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const [fastest = Number.NaN, slowest = Number.NaN] = [times[0], times.at(-1)];
  const ratio = (slowest / fastest).toFixed(2);
  print(
    `${what}: ${times.length}, ${(fastest / 1000).toFixed(2)} to ${(slowest / 1000).toFixed(2)} s, slowest / fastest ${ratio}`,
  );
}

function startLatency(socket: string, urls: readonly string[]): () => Promise<readonly string[]> {
  const script = fileURLToPath(new URL('latency.js', import.meta.url));
  const child = spawn(process.execPath, [script, socket, ...urls], { stdio: ['pipe', 'pipe', 'inherit'] });
  const output = text(child.stdout);
  return async () => {
    child.stdin.end();
    // Our own script wrote this.
    const rows = JSON.parse(await output) as { url: string; count: number; p50: number; p99: number; max: number }[];
    return rows.map(
      ({ url, count, p50, p99, max }) =>
        `${url}: ${count} answers, median ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)}, slowest ${max.toFixed(1)}`,
    );
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

void main();
