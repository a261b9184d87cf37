import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { projectRoot } from '../test/fixtures/tables.js';
import { CASES } from './cases.js';
import { toChart } from './chart.js';
import { toGrowthChart } from './growth-chart.js';
import { measureGrowth, toGrowthText } from './growth.js';
import { parseOptions, USAGE, type BenchOptions } from './options.js';
import { PeerContainerd } from './peer-containerd.js';
import { toMarkdown, toText, type About, type Results } from './report.js';
import { runCase, type Outcome } from './run-case.js';
import { wholeImage } from './shapes.js';
import { Stand, type Ground } from './stand.js';
import { makeWorkspace, removeWorkspace } from './workspace.js';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else await bench(options);
}

async function bench(options: BenchOptions): Promise<void> {
  const names = namesOf(options.cases);
  const workspace = await makeWorkspace(options.bytes, options.directory);
  const containerd = new PeerContainerd(path.join(workspace.folder, 'containerd'));
  const { main = ownMain(), smallBlobs } = options;
  const ground = { main: path.resolve(main), workspace, containerd, smallBlobs };
  // An interrupted run must not leave gigabytes in memory or a running daemon.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => giveUp(ground));
  try {
    if (options.growth) await grow(ground, options);
    else await compare(names, ground, options);
  } finally {
    await containerd.stop();
    removeWorkspace(workspace);
  }
}

async function grow(ground: Ground, { write, ...options }: BenchOptions): Promise<void> {
  const rows = await measureGrowth(ground, { ...options, onProgress: report });
  process.stdout.write(toGrowthText(rows));
  if (write) await writeFile(path.join(projectRoot(), 'benchmarks', 'growth.svg'), toGrowthChart(rows));
}

function namesOf(wanted: readonly string[]): readonly string[] {
  const known = Object.keys(CASES);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no case ${unknown.join(', ')}; the cases are ${known.join(', ')}`);
  return known.filter((name) => wanted.length === 0 || wanted.includes(name));
}

async function compare(names: readonly string[], ground: Ground, options: BenchOptions): Promise<void> {
  const { archiveFolder, archives } = ground.workspace;
  report(`building an archive with ${options.bytes} bytes of layers in ${archiveFolder} (${archives.fileSystem})`);
  const stand = await Stand.build(ground, 'archive', wholeImage(options.bytes));
  const outcomes = await runCases(names, stand, options.rounds);
  await publish({ about: aboutOf(options, stand), outcomes }, options);
}

function ownMain(): string {
  return path.join(projectRoot(), 'dist', 'bin', 'main.js');
}

async function runCases(names: readonly string[], stand: Stand, rounds: number): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, makeCase] of Object.entries(CASES).filter(([name]) => names.includes(name))) {
    report(`running ${name}`);
    outcomes.push(await runCase(name, await makeCase(stand), rounds));
  }
  return outcomes;
}

async function publish(results: Results, { json, write }: BenchOptions): Promise<void> {
  process.stdout.write(`${toText(results)}\n`);
  const samples = `${JSON.stringify(results, null, 2)}\n`;
  if (json !== undefined) await writeFile(json, samples);
  if (!write) return;
  const folder = path.join(projectRoot(), 'benchmarks');
  await writeFile(path.join(folder, 'results.json'), samples);
  await writeFile(path.join(folder, 'results.md'), toMarkdown(results));
  await writeFile(path.join(folder, 'chart.svg'), toChart(results));
}

function aboutOf({ rounds }: BenchOptions, { fixture, ground: { workspace } }: Stand): About {
  // Our own package.json.
  const { version } = JSON.parse(readFileSync(path.join(projectRoot(), 'package.json'), 'utf8')) as { version: string };
  const cpus = os.cpus();
  return {
    lading: version,
    node: process.versions.node,
    machine: `${cpus.length} × ${cpus[0]?.model ?? 'unknown'}, ${os.type()} ${os.release()}`,
    rounds,
    archiveBytes: fixture.archiveBytes,
    stores: workspace.stores.fileSystem,
    archives: workspace.archives.fileSystem,
  };
}

function giveUp({ workspace, containerd }: Ground): void {
  containerd.kill();
  removeWorkspace(workspace);
  process.exit(130);
}

function report(progress: string): void {
  process.stderr.write(`bench: ${progress}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
