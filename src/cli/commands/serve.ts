import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { ensurePrivateFolder } from '../../files/private-folder.js';
import { LadingError, quote } from '../../model/errors.js';
import { printable } from '../../model/shown-text.js';
import { auditLine, EngineServer, type ListenAddress, type TlsFiles } from '../../server/index.js';
import { openAuditLog } from '../audit-log.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { parseDuration } from '../duration.js';
import { takePassedSockets } from '../listen-fds.js';
import { openRegistryStore, registryAccess, type ServeRegistryOptions } from '../serve-registries.js';
import { readTrustOrDefault, type TrustFiles } from '../trust-files.js';

export interface ServeOptions extends CommonOptions, ServeRegistryOptions, Pick<TrustFiles, 'policy'> {
  readonly host?: readonly string[];
  readonly socketMode: string;
  readonly tlsverify?: boolean;
  readonly tlscacert?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
  readonly insecureNoTls?: boolean;
  readonly serverName?: readonly string[];
  readonly maxTransfers: string;
  readonly maxConnections: string;
  readonly headersTimeout: string;
  readonly idleTimeout: string;
  readonly stallTimeout: string;
  readonly stopTimeout: string;
  readonly allowPruneAll?: boolean;
  readonly ui?: boolean;
  readonly auditLog?: string;
}

/** Up to this many archives are read in large chunks, which is faster; more would take too much memory that way. */
const FEW_TRANSFERS = 4;
const LARGE_CHUNK_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** `lading serve`: serves the Engine API until a signal ends it; a second signal ends it at once. */
export async function serve(options: ServeOptions, { signal }: CommandContext): Promise<number> {
  const addresses = addressesOf(options);
  const policy = await readTrustOrDefault(options);
  const graceMs = parseDuration(options.stopTimeout);
  const log = openAuditLog(options.auditLog, printNotice);
  // The reader of stderr may go away; that must not stop the server.
  process.stderr.on('error', () => {});
  const chunkBytes = (): number => (server.transfers > FEW_TRANSFERS ? CHUNK_BYTES : LARGE_CHUNK_BYTES);
  const remote = await openRegistryStore(options);
  const store = remote ?? (await openStore(options, 'write', { chunkBytes }));
  const registries = await registryAccess(options);
  const server = new EngineServer(store, {
    maxTransfers: parseCount(options.maxTransfers, '--max-transfers'),
    maxConnections: parseCount(options.maxConnections, '--max-connections'),
    headersMs: parseTimeout(options.headersTimeout, '--headers-timeout'),
    idleMs: parseTimeout(options.idleTimeout, '--idle-timeout'),
    stalledMs: parseTimeout(options.stallTimeout, '--stall-timeout'),
    allowPruneAll: options.allowPruneAll ?? false,
    uiOnTcp: options.ui ?? false,
    ownNames: [os.hostname(), ...addresses.map(hostOf), ...(options.serverName ?? [])].map((name) =>
      name.toLowerCase(),
    ),
    ...(registries && { registries }),
    ...(policy && { policy }),
    audit: (record) => log.add(auditLine(record)),
    onError: (error) => printNotice(`unexpected error: ${reasonOf(error)}`),
    umask: (mask) => process.umask(mask),
  });
  try {
    for (const address of addresses) printNotice(`listening on ${await server.listen(address)}`);
    await untilAborted(signal);
    // Listens before it prints: a reader of the line may send the second signal at once.
    const atOnce = stopAtOnce(server);
    printNotice('stopping: waiting for transfers; a second signal stops at once');
    await Promise.race([server.stop({ graceMs }), atOnce]);
  } catch (error) {
    await server.stop({ graceMs: 0 });
    throw error;
  } finally {
    remote?.close();
    await log.flushed();
  }
  return 0;
}

function printNotice(text: string): void {
  process.stderr.write(`lading: ${text}\n`);
}

/** An unexpected error in one line. */
function reasonOf(error: unknown): string {
  return printable(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}

/** Stops the server at once when the second signal arrives. */
async function stopAtOnce(server: EngineServer): Promise<void> {
  await new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(name, resolve);
  });
  await server.stop({ graceMs: 0 });
}

/** Where to listen: on the sockets that systemd passed, else at `--host`, else in the user's runtime folder. */
function addressesOf(options: ServeOptions): readonly ListenAddress[] {
  const tls = tlsOf(options);
  const passed = takePassedSockets();
  const given = (options.host ?? []).filter((host) => host !== 'fd://');
  if (passed.length > 0 && given.length === 0) {
    return passed.map(({ fd, isTcp }) => ({ kind: 'fd', fd, isTcp, ...(tls && { tls }) }));
  }
  if (passed.length > 0 || options.host?.includes('fd://') === true) {
    const message = '--host fd:// needs sockets that systemd passed (LISTEN_FDS), and they allow no other --host';
    throw new LadingError('ERR_OPTION_INVALID', message);
  }
  return (given.length > 0 ? given : [defaultHost()]).map((host) => parseHost(host, options, tls));
}

/** `unix://PATH` or `tcp://HOST:PORT`, as docker takes them. */
function parseHost(
  text: string,
  { socketMode, insecureNoTls }: ServeOptions,
  tls: TlsFiles | undefined,
): ListenAddress {
  const unix = /^unix:\/\/(\/.*)$/.exec(text)?.[1];
  if (unix !== undefined) return { kind: 'unix', path: unix, mode: parseMode(socketMode) };
  const [, bracketed, plain, port] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > MAX_PORT || (bracketed !== undefined && isIP(bracketed) !== 6)) {
    throw new LadingError('ERR_OPTION_INVALID', `${quote(text)} is not unix:///PATH or tcp://HOST:PORT`);
  }
  return { kind: 'tcp', host, port: Number(port), ...(tls && { tls }), insecure: insecureNoTls ?? false };
}

const MAX_PORT = 65_535;

function hostOf(address: ListenAddress): string {
  return address.kind === 'tcp' ? address.host : 'localhost';
}

/** A socket in `$XDG_RUNTIME_DIR`, which only its user can enter. */
function defaultHost(): string {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? '';
  if (!path.isAbsolute(runtime)) {
    throw new LadingError('ERR_OPTION_INVALID', 'XDG_RUNTIME_DIR is not set; choose a socket with --host unix://PATH');
  }
  const folder = path.join(runtime, 'lading');
  try {
    ensurePrivateFolder(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new LadingError('ERR_STORAGE_IO', `cannot make ${quote(folder)}: ${code}`, { cause: error });
  }
  return `unix://${path.join(folder, 'lading.sock')}`;
}

function tlsOf({ tlsverify, tlscacert, tlscert, tlskey }: ServeOptions): TlsFiles | undefined {
  const files = [tlscacert, tlscert, tlskey];
  if (tlsverify !== true && files.every((file) => file === undefined)) return undefined;
  if (tlsverify !== true || tlscacert === undefined || tlscert === undefined || tlskey === undefined) {
    throw new LadingError('ERR_OPTION_INVALID', 'TLS needs --tlsverify, --tlscacert, --tlscert and --tlskey together');
  }
  return { ca: readPem(tlscacert), cert: readPem(tlscert), key: readPem(tlskey) };
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { message } = error as Error;
    throw new LadingError('ERR_SOURCE_UNKNOWN', `cannot read ${quote(file)}: ${message}`, { cause: error });
  }
}

function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new LadingError('ERR_OPTION_INVALID', `--socket-mode ${quote(text)} is not a mode such as 0600 or 660`);
}

function parseCount(text: string, option: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
  throw new LadingError('ERR_OPTION_INVALID', `${option} ${quote(text)} is not a number from 1 to 999999`);
}

/** A time of at least one second: zero would cut off every client. */
function parseTimeout(text: string, option: string): number {
  const ms = parseDuration(text);
  if (ms > 0) return ms;
  throw new LadingError('ERR_OPTION_INVALID', `${option} ${quote(text)} is too short; use at least 1s`);
}
