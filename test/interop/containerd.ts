import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { digestOf, parseDigest, type Digest } from '../../src/model/digest.js';
import { missingForInterop, output, requireTool, runCommand } from '../fixtures/command.js';

/** A containerd of the test's own. */
export interface Containerd {
  /** Runs `ctr` against it and returns its standard output. Fails the test unless it exits with 0. */
  ctr(...args: readonly string[]): Promise<string>;
  /** The digest of an image's root. */
  digestOfImage(name: string): Promise<Digest>;
  /** Fails the test unless the content store has each blob with the bytes of its digest. */
  assertHas(digests: readonly Digest[]): Promise<void>;
}

/** Plugins that the tests do not use, or that need more of the machine than a test may take. */
const DISABLED = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.overlayfs',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp',
];

/** True if a containerd can be started here. Else skips the test, or fails it if interop is required. */
export function requireContainerd(t: TestContext): boolean {
  if (!requireTool(t, 'containerd', 'ctr')) return false;
  return process.getuid?.() === 0 || missingForInterop(t, 'needs root to start a containerd');
}

/**
 * Starts a containerd with its own folders and socket; it is stopped and its folders removed after the test. With
 * `overlay` it can unpack images onto an overlay file system.
 */
export async function startContainerd(
  t: TestContext,
  { overlay = false }: { readonly overlay?: boolean } = {},
): Promise<Containerd> {
  // A socket's path may have 107 characters.
  const folder = await mkdtemp(join(tmpdir(), 'lc-'));
  const daemon = await launchContainerd(folder, join(folder, 'root'), { overlay });
  t.after(async () => {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return clientOf(daemon.address);
}

/** A containerd that runs until it is stopped. */
export interface RunningContainerd {
  readonly pid: number;
  /** The socket, for `ctr --address`. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts a containerd whose socket and state are in the folder; its content too, unless that has another root. */
export async function launchContainerd(
  folder: string,
  root = join(folder, 'root'),
  { overlay = false }: { readonly overlay?: boolean } = {},
): Promise<RunningContainerd> {
  const config = join(folder, 'config.toml');
  await writeFile(config, configOf(folder, root, overlay));
  const daemon = spawn('containerd', ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  await booted(daemon);
  return { pid: daemon.pid ?? Number.NaN, address: join(folder, 's'), stop: async () => stop(daemon) };
}

function configOf(folder: string, root: string, overlay: boolean): string {
  const disabled = DISABLED.filter((plugin) => !overlay || !plugin.endsWith('overlayfs'));
  return [
    'version = 2',
    `root = "${root}"`,
    `state = "${folder}/state"`,
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    '[grpc]',
    `address = "${folder}/s"`,
    '[ttrpc]',
    `address = "${folder}/t"`,
  ].join('\n');
}

type Daemon = ChildProcessByStdio<null, null, Readable>;

/** Resolves when the daemon logs that it serves. Rejects with its log if it ends before that. */
async function booted(daemon: Daemon): Promise<void> {
  const log: string[] = [];
  const started = once(daemon, 'spawn');
  for await (const line of createInterface({ input: daemon.stderr })) {
    log.push(line);
    if (line.includes('containerd successfully booted')) break;
  }
  await started;
  assert.equal(daemon.exitCode, null, `containerd did not start:\n${log.join('\n')}`);
  // A full pipe would block the daemon.
  daemon.stderr.resume();
}

async function stop(daemon: Daemon): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  daemon.kill('SIGTERM');
  await once(daemon, 'exit');
}

function clientOf(address: string): Containerd {
  const ctr = async (...args: readonly string[]): Promise<string> => output('ctr', ['--address', address, ...args]);
  return {
    ctr,
    async digestOfImage(name) {
      const rows = (await ctr('images', 'ls', `name==${name}`)).split('\n').map((line) => line.split(/\s+/));
      // Columns: REF TYPE DIGEST …
      return parseDigest(rows.find(([ref]) => ref === name)?.[2] ?? '');
    },
    async assertHas(digests) {
      for (const digest of digests) {
        const { output: bytes } = await runCommand('ctr', ['--address', address, 'content', 'get', digest]);
        assert.equal(digestOf(bytes), digest, `containerd does not have ${digest}`);
      }
    },
  };
}
