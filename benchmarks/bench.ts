import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { projectRoot } from '../test/fixtures/tables.js';
import { CASES } from './cases.js';
import { buildFixture } from './fixture.js';
import { parseOptions, USAGE, type BenchOptions } from './options.js';
import { toMarkdown, toText, type About, type Results } from './report.js';
import { runCase, type Outcome } from './run-case.js';
import { Stand } from './stand.js';
import { makeWorkspace, removeWorkspace, type Workspace } from './workspace.js';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else await bench(options);
}

async function bench(options: BenchOptions): Promise<void> {
  const names = namesOf(options.cases);
  const workspace = await makeWorkspace(options.bytes, options.directory);
  // An interrupted run must not leave gigabytes in memory.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => giveUp(workspace));
  try {
    const stand = await setUp(options, workspace);
    const outcomes = await runCases(names, stand, options.rounds);
    await publish({ about: aboutOf(options, stand), outcomes }, options);
  } finally {
    removeWorkspace(workspace);
  }
}

function namesOf(wanted: readonly string[]): readonly string[] {
  const known = Object.keys(CASES);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no case ${unknown.join(', ')}; the cases are ${known.join(', ')}`);
  return known.filter((name) => wanted.length === 0 || wanted.includes(name));
}

async function setUp({ bytes, main = ownMain() }: BenchOptions, workspace: Workspace): Promise<Stand> {
  const { folder, archiveFolder } = workspace;
  tell(`building an archive with ${bytes} bytes of layers in ${archiveFolder} (${workspace.archives.fileSystem})`);
  const archive = path.join(archiveFolder, 'archive.tar');
  const fixture = await buildFixture({ archive, layout: path.join(folder, 'layout'), bytes });
  // Elsewhere they would keep up to two more copies than there is room for.
  return new Stand({ main: path.resolve(main), fixture, workspace, hasRoomForPeers: folder === archiveFolder });
}

function ownMain(): string {
  return path.join(projectRoot(), 'dist', 'cli', 'main.js');
}

async function runCases(names: readonly string[], stand: Stand, rounds: number): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, makeCase] of Object.entries(CASES).filter(([name]) => names.includes(name))) {
    tell(`running ${name}`);
    outcomes.push(await runCase(name, makeCase(stand), rounds));
  }
  return outcomes;
}

async function publish(results: Results, { json, write }: BenchOptions): Promise<void> {
  process.stdout.write(`${toText(results)}\n`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 2)}\n`);
  if (write) await writeFile(path.join(projectRoot(), 'benchmarks', 'results.md'), toMarkdown(results));
}

function aboutOf({ rounds }: BenchOptions, { fixture, workspace }: Stand): About {
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

function giveUp(workspace: Workspace): void {
  removeWorkspace(workspace);
  process.exit(130);
}

function tell(progress: string): void {
  process.stderr.write(`bench: ${progress}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
