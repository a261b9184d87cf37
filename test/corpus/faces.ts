import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TestContext } from 'node:test';
import { LADING } from '../fixtures/cli-workspace.js';
import type { Answer, Engine } from '../fixtures/engine.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { unitsIn } from '../fixtures/work.js';
import type { Archive } from './corpus.js';

/** Every file and folder below a directory, with its mode, size and a hash of its content. */
export async function treeOf(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true });
  return await Promise.all(names.toSorted().map(async (name) => await describe(directory, name)));
}

async function describe(directory: string, name: string): Promise<string> {
  const file = path.join(directory, name);
  const found = await lstat(file);
  const content = found.isFile()
    ? createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
    : '';
  return `${name} ${found.mode.toString(8)} ${found.isFile() ? found.size : ''} ${content}`;
}

/** Opens a new stream of the archive. */
export function openArchive(archive: Archive): Readable {
  return Readable.from(Buffer.isBuffer(archive) ? chunksOf(archive) : archive());
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** The result of a run of the command, and its cost. */
export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Processor time of the command, in units of work of this process. */
  readonly units: number;
  /** Peak resident memory of the process (proc(5), VmHWM). */
  readonly peakBytes: number;
  /** All bytes that the command wrote, to files and elsewhere (proc(5), wchar). */
  readonly writtenBytes: number;
}

/** Writes the cost of the process to file descriptor 3 at its exit: another process could not read the final values. */
const REPORT_COST = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeSync } from 'node:fs';
  process.on('exit', () => {
    const of = (file, field) => new RegExp(field + ':\\\\s*(\\\\d+)').exec(readFileSync('/proc/self/' + file, 'utf8'))[1];
    const { user, system } = process.cpuUsage();
    const cost = { peak: of('status', 'VmHWM') * 1024, written: Number(of('io', 'wchar')), cpuMs: (user + system) / 1000 };
    writeSync(3, JSON.stringify(cost));
  });
`)}`;

/** Runs `lading` on an archive, given as a file, or as standard input if the archive is a stream. */
export async function runOn(
  t: TestContext,
  archive: Archive,
  args: (input: string) => readonly string[],
): Promise<Run> {
  const isFile = Buffer.isBuffer(archive);
  const input = isFile ? path.join(await temporaryFolder(t), 'archive.tar') : '-';
  if (isFile) await writeFile(input, archive);
  const child = spawn(process.execPath, ['--import', REPORT_COST, LADING, ...args(input)], {
    env: { ...process.env, LADING_STORE: undefined, XDG_DATA_HOME: '/nonexistent' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  // The options above make all four pipes, but the types do not show that for the fourth one.
  const cost = child.stdio[3] as Readable;
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (status) => resolve(status));
  });
  // A command that refuses its input stops reading. Its status counts, not the broken pipe.
  const fed = pipeline(isFile ? [] : openArchive(archive), child.stdin).catch(() => {});
  const texts = await Promise.all(
    [child.stdout, child.stderr, cost].map(async (stream) => (await stream.toArray()).join('')),
  );
  const [status] = await Promise.all([ended, fed]);
  const { peak, written, cpuMs } = JSON.parse(texts[2] ?? '') as { peak: number; written: number; cpuMs: number };
  return {
    status,
    stdout: texts[0] ?? '',
    stderr: texts[1] ?? '',
    units: unitsIn(cpuMs),
    peakBytes: peak,
    writtenBytes: written,
  };
}

/** Uploads the archive to a server. */
export async function upload({ request }: Engine, archive: Archive, query: string): Promise<Answer> {
  const body = Buffer.isBuffer(archive) ? archive : openArchive(archive);
  return await request('POST', `/v1.52/images/load?${query}`, { body });
}

/** Fails if the text has a character that a terminal does not simply print. */
export function assertPrintable(text: string): void {
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
}
