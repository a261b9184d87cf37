import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { missingForInterop, runCommand, type CommandOptions, type CommandResult } from '../fixtures/command.js';
import { example, type Example } from '../fixtures/example.js';
import { startServe, type ServeArguments, type Served } from './serve-command.js';

/** A docker command of this machine. */
export interface DockerCommand {
  readonly file: string;
  /** `20.10` */
  readonly version: string;
}

/** Where `fetch-docker.sh` put Debian's command: LADING_DOCKER, else `build/docker` of the checkout. */
const FETCHED = process.env['LADING_DOCKER'] ?? fileURLToPath(new URL('../../../build/docker/docker', import.meta.url));

/** The fetched command, even if it is not here, and one of another version if PATH has it. */
export const DOCKERS: readonly DockerCommand[] = findDockers();

function findDockers(): readonly DockerCommand[] {
  const fetched = versionOf(FETCHED);
  const other = versionOf('docker');
  return [
    { file: FETCHED, version: fetched ?? 'of Debian' },
    ...(other === undefined || other === fetched ? [] : [{ file: 'docker', version: other }]),
  ];
}

function versionOf(file: string): string | undefined {
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' });
  return /^Docker version (\d+\.\d+)\./.exec(stdout ?? '')?.[1];
}

/** A docker command beside a server and an archive. */
export interface DockerBench extends Served {
  readonly built: Example;
  /** The archive of the example image, with attestations. */
  readonly archive: string;
  /** Runs the command, whatever its status. */
  readonly run: (args: readonly string[], options?: CommandOptions) => Promise<CommandResult>;
  /** Runs it and returns its standard output. Fails the test unless it exits with 0. */
  readonly docker: (...args: readonly string[]) => Promise<string>;
  /** Runs it and returns its standard error. Fails the test unless it exits with 1 and prints nothing else. */
  readonly refused: (...args: readonly string[]) => Promise<string>;
  /** The environment of the command, for tests that start it themselves. */
  readonly env: NonNullable<CommandOptions['env']>;
  readonly file: string;
}

/** What a docker test needs. */
export interface DockerTestOptions extends ServeArguments {
  /** The first major version of the command that can do it. */
  readonly from?: number;
  /** Whether the server has the example image already. */
  readonly loaded?: boolean;
}

/** Registers a test for each docker command, with a server of its own. */
export function dockerTest(
  name: string,
  options: DockerTestOptions,
  run: (bench: DockerBench, t: TestContext) => Promise<void>,
): void {
  for (const docker of DOCKERS.filter(
    ({ version }) => Number.parseInt(version, 10) >= (options.from ?? 0) || !options.from,
  )) {
    test(`docker ${docker.version}: ${name}`, async (t) => {
      if (requireDocker(t, docker)) await run(await benchFor(t, docker, options), t);
    });
  }
}

/** True if the command is here. Else skips the test, or fails it if interop is required. */
export function requireDocker(t: TestContext, { file }: DockerCommand): boolean {
  return versionOf(file) !== undefined || missingForInterop(t, `needs ${file}: run test/interop/fetch-docker.sh`);
}

async function benchFor(t: TestContext, docker: DockerCommand, options: DockerTestOptions): Promise<DockerBench> {
  const served = await startServe(t, options);
  const built = example({ attestations: true });
  const archive = served.at('in.tar');
  await writeFile(archive, await layoutArchive(built.images, built.blobs));
  const bench = { ...served, ...(await dockerFor(docker, served)), built, archive };
  if (options.loaded === true) await bench.docker('load', '-q', '-i', archive);
  return bench;
}

/** The command against a server, with private settings. */
export async function dockerFor(
  { file }: DockerCommand,
  { url, at }: Served,
): Promise<Pick<DockerBench, 'run' | 'docker' | 'refused' | 'env' | 'file'>> {
  const config = at('docker-config');
  await mkdir(config, { recursive: true });
  const env = { ...NO_DOCKER_SETTINGS, DOCKER_HOST: url, DOCKER_CONFIG: config, HOME: config };
  const run = async (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    await runCommand(file, args, { ...options, env: { ...env, ...options.env } });
  const docker = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args);
    assert.equal(status, 0, `docker ${args.join(' ')}: ended with ${status}\n${stdout}${stderr}`);
    return stdout;
  };
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args);
    assert.deepEqual({ status, stdout: stdout.replace(/^\[\]\n$/, '') }, { status: 1, stdout: '' }, stderr);
    return stderr;
  };
  return { run, docker, refused, env, file };
}

/** Removes the variables that the docker command reads. */
const NO_DOCKER_SETTINGS = {
  DOCKER_API_VERSION: undefined,
  DOCKER_CERT_PATH: undefined,
  DOCKER_CONTENT_TRUST: undefined,
  DOCKER_CONTEXT: undefined,
  DOCKER_DEFAULT_PLATFORM: undefined,
  DOCKER_TLS: undefined,
  DOCKER_TLS_VERIFY: undefined,
};

/** Lines of JSON, as `--format '{{json .}}'` prints them. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- each test names the shape that it asserts
export function rowsOf<T>(text: string): T[] {
  // The test asserts this shape.
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}
