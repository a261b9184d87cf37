import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { seededBytes } from '../test/fixtures/seeded.js';
import { measure, quoted } from './measure.js';
import { medianOf } from './statistics.js';

/*
 * Unpacking beside umoci, and the flat tar beside gzip: `node build/benchmarks/unpack.js [--mib N] [--rounds N]`. Two
 * images of N MiB (default 1024), one of files of 4 KiB and one of a single file, about half compressible, packed by
 * umoci. Prints seconds of wall clock and of processors, medians of all rounds, and ratios. Needs root and umoci.
 */

const MIB = 1024 * 1024;
const SMALL_BYTES = 4096;
const FILES_A_FOLDER = 500;

const { values } = parseArgs({
  options: { mib: { type: 'string', default: '1024' }, rounds: { type: 'string', default: '3' } },
});

const work = mkdtempSync(path.join(os.tmpdir(), 'lading-unpack-'));
const lading = path.resolve('dist/bin/main.js');

/** Bytes of which every second run of 32 is text. */
function mixedBytes(seed: string): Buffer {
  const bytes = seededBytes(seed, MIB);
  for (let at = 0; at < bytes.length; at += 64) bytes.write('Half of these bytes can be packed', at, 32, 'latin1');
  return bytes;
}

function writeSmall(folder: string, mib: number): void {
  for (let at = 0; at < mib; at += 1) {
    const bytes = mixedBytes(`small ${at}`);
    const into = path.join(folder, String(Math.floor((at * MIB) / SMALL_BYTES / FILES_A_FOLDER)));
    mkdirSync(into, { recursive: true });
    for (let start = 0; start < MIB; start += SMALL_BYTES) {
      writeFileSync(path.join(into, `${at}-${start}`), bytes.subarray(start, start + SMALL_BYTES));
    }
  }
}

function writeLarge(folder: string, mib: number): void {
  for (let at = 0; at < mib; at += 1)
    writeFileSync(path.join(folder, 'large'), mixedBytes(`large ${at}`), { flag: 'a' });
}

function run(file: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${file} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** An image in a layout of umoci and in a store of Lading. Returns the largest blob, which is the layer. */
function build(name: string, write: (folder: string, mib: number) => void): string {
  const [files, layout] = [path.join(work, 'files'), path.join(work, name)];
  mkdirSync(files);
  write(files, Number(values.mib));
  run('umoci', 'init', '--layout', layout);
  run('umoci', 'new', '--image', `${layout}:1`);
  run('umoci', 'insert', '--image', `${layout}:1`, files, '/files');
  rmSync(files, { recursive: true });
  run(process.execPath, lading, 'load', '-q', '--store', `${layout}-store`, '-i', layout, '--name', 'bench/unpack');
  const blobs = path.join(layout, 'blobs', 'sha256');
  const sizes = readdirSync(blobs).map((blob) => [statSync(path.join(blobs, blob)).size, blob] as const);
  const [, largest = ''] = sizes.toSorted(([a], [b]) => b - a)[0] ?? [];
  return path.join(blobs, largest);
}

interface Took {
  readonly wall: number;
  readonly cpu: number;
}

async function took(command: string, rounds: number): Promise<Took> {
  const samples = [];
  for (let round = 0; round < rounds; round += 1) {
    samples.push(await measure(command));
    rmSync(path.join(work, 'out'), { recursive: true, force: true });
  }
  return {
    wall: medianOf(samples.map(({ wallMs }) => wallMs)) / 1000,
    cpu: medianOf(samples.map(({ cpuMs }) => cpuMs)) / 1000,
  };
}

function line(what: string, { wall, cpu }: Took, other?: Took): string {
  const ratio =
    other === undefined ? '' : `  ratio ${(other.wall / wall).toFixed(2)} wall, ${(other.cpu / cpu).toFixed(2)} CPU`;
  return `  ${what.padEnd(24)} ${wall.toFixed(2)} s wall, ${cpu.toFixed(2)} s CPU${ratio}`;
}

async function compare(name: string, write: (folder: string, mib: number) => void): Promise<void> {
  const layer = build(name, write);
  const [layout, out, rounds] = [path.join(work, name), path.join(work, 'out'), Number(values.rounds)];
  const own = quoted(process.execPath, lading, 'unpack', '-q', '--store', `${layout}-store`);
  const umoci = await took(quoted('umoci', 'unpack', '--image', `${layout}:1`, out), rounds);
  const directory = await took(`${own} bench/unpack:1 ${quoted(out)}`, rounds);
  const gzip = await took(`${quoted('gzip', '-dc', layer)} > /dev/null`, rounds);
  const flat = await took(`${own} bench/unpack:1 - > /dev/null`, rounds);
  console.log(`${name}, ${values.mib} MiB, ${rounds} rounds`);
  console.log(line('umoci unpack', umoci));
  console.log(line('lading unpack', directory, umoci));
  console.log(line('gzip -dc', gzip));
  console.log(line('lading unpack -', flat, gzip));
}

async function main(): Promise<void> {
  try {
    await compare('files-of-4-KiB', writeSmall);
    await compare('one-file', writeLarge);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
