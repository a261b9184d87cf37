import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PROBE_VARIABLE, type ProbeReport } from '../../benchmarks/probe.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { projectRoot } from '../fixtures/tables.js';

/** The result of a command that read a stream. */
export interface PipedResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly peakRssBytes: number;
}

/** Runs the built `lading` with bytes that are made while it reads them. The measurement is written to `folder`. */
export async function pipeInto(
  args: readonly string[],
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  folder: string,
): Promise<PipedResult> {
  const report = path.join(folder, 'probe.json');
  const probe = path.join(projectRoot(), 'build', 'benchmarks', 'probe.js');
  const child = spawn(process.execPath, ['--import', probe, LADING, ...args], {
    env: { ...process.env, [PROBE_VARIABLE]: report },
  });
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
  const closed = once(child, 'close');
  // A command that refuses its input does not read the rest of it.
  await pipeline(Readable.from(source), child.stdin).catch(() => undefined);
  const [status] = (await closed) as [number | null];
  const { peakRssBytes } = JSON.parse(await readFile(report, 'utf8')) as ProbeReport;
  return { status, stdout: await stdout, stderr: await stderr, peakRssBytes };
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return text;
}
