import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { lading, requireTool, runCommand, type CommandResult } from '../fixtures/command.js';
import { example, FAMILIAR, type Example } from '../fixtures/example.js';
import { assertAtRest, startServe, type Served } from './serve-command.js';
import { blobsOf, onlyImageOf, sortedClosure } from './workspace.js';

interface Bench extends Served {
  readonly built: Example;
  readonly archive: string;
  /** Runs curl against the server; the last argument is the path of the URL. */
  readonly curl: (...args: readonly string[]) => Promise<CommandResult>;
  /** The arguments that every curl gets. */
  readonly argsOf: (...args: readonly string[]) => readonly string[];
}

async function bench(t: TestContext, options: readonly string[] = []): Promise<Bench> {
  const served = await startServe(t, { options });
  const built = example({ layerBytes: 60_000, layers: 1 });
  const archive = served.at('in.tar');
  await writeFile(archive, await layoutArchive(built.images, built.blobs));
  const argsOf = (...args: readonly string[]): readonly string[] => [
    '-sS',
    '--unix-socket',
    served.at('s'),
    ...args.slice(0, -1),
    `http://localhost${args.at(-1)}`,
  ];
  const curl = async (...args: readonly string[]): Promise<CommandResult> => await runCommand('curl', argsOf(...args));
  return { ...served, built, archive, curl, argsOf };
}

async function loadedBench(t: TestContext): Promise<Bench> {
  const made = await bench(t);
  const { status, stdout } = await made.curl('-X', 'POST', '-T', made.archive, '/v1.52/images/load');
  assert.deepEqual([status, stdout.trimEnd()], [0, JSON.stringify({ stream: `Loaded image: ${FAMILIAR}\n` })]);
  return made;
}

/** The status of an answer in the form of `curl -i`, and its header fields by their names in lower case. */
function headersOf(text: string): Readonly<Record<string, string>> {
  const [first = '', ...lines] = text.split('\r\n\r\n')[0]?.split('\r\n') ?? [];
  const fields = lines.map((line) => line.split(': ')).map(([name = '', value = '']) => [name.toLowerCase(), value]);
  return { status: first.split(' ')[1] ?? '', ...(Object.fromEntries(fields) as Record<string, string>) };
}

const SAVED = `/v1.52/images/get?names=${FAMILIAR}`;

test('curl: a save has the bytes of lading save, and its length and ETag are known before', async (t) => {
  if (!requireTool(t, 'curl')) return;
  const { curl, store, at } = await loadedBench(t);
  await lading(['save', '--store', store, '-o', at('lading.tar'), FAMILIAR]);
  const expected = await readFile(at('lading.tar'));
  const head = headersOf((await curl('-I', SAVED)).stdout);
  assert.equal(head['status'], '200');
  assert.equal(Number(head['content-length']), expected.length);
  const got = await curl('-D', at('headers'), SAVED);
  assert.equal(digestOf(got.output), digestOf(expected));
  const headers = headersOf(await readFile(at('headers'), 'utf8'));
  assert.deepEqual(
    [headers['content-type'], headers['content-length'], headers['etag']],
    ['application/x-tar', String(expected.length), head['etag']],
  );
});

test('curl: a save that the client already has is not sent again', async (t) => {
  if (!requireTool(t, 'curl')) return;
  const { curl } = await loadedBench(t);
  const etag = headersOf((await curl('-I', SAVED)).stdout)['etag'] ?? '';
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const { stdout } = await curl('-i', '-H', `If-None-Match: ${known}`, SAVED);
    const { status, ...headers } = headersOf(stdout);
    assert.deepEqual([status, headers['etag'], stdout.split('\r\n\r\n')[1]], ['304', etag, ''], known);
  }
  const changed = await curl('-I', '-H', 'If-None-Match: "other"', SAVED);
  assert.equal(headersOf(changed.stdout)['status'], '200');
  const platform = encodeURIComponent(JSON.stringify({ os: 'linux', architecture: 'arm64' }));
  const other = headersOf((await curl('-I', '-H', `If-None-Match: ${etag}`, `${SAVED}&platform=${platform}`)).stdout);
  assert.equal(other['status'], '200');
  assert.notEqual(other['etag'], etag);
});

test('curl: an upload with Expect: 100-continue is asked for and taken', async (t) => {
  if (!requireTool(t, 'curl')) return;
  const { curl, archive, store, built } = await bench(t);
  const upload = ['-v', '-H', 'Expect: 100-continue', '--expect100-timeout', '20', '--data-binary', `@${archive}`];
  const { status, stderr } = await curl(...upload, '/v1.52/images/load');
  assert.equal(status, 0);
  assert.match(stderr, /^< HTTP\/1\.1 100 Continue/m);
  assert.match(stderr, /^< HTTP\/1\.1 200 OK/m);
  assert.deepEqual(await blobsOf(store), sortedClosure(built.blobs, built.root));
});

test('curl: an upload that breaks in the middle leaves only whole blobs, for the next try', async (t) => {
  if (!requireTool(t, 'curl')) return;
  // That the client is gone, and no timeout, ends it.
  const made = await bench(t, ['--idle-timeout', '1h']);
  const seen = watch(join(made.store, '.lading', 'ingest'));
  const child = spawn('curl', made.argsOf('-X', 'POST', '-T', '-', '/v1.52/images/load'));
  const archive = await readFile(made.archive);
  child.stdin.write(archive.subarray(0, archive.length / 2));
  // Waits until the server has stored a part of it.
  for await (const _ of seen) break;
  child.kill('SIGKILL');
  const { code, moved, bytes = 0 } = await made.audited('load');
  assert.deepEqual([code, moved], ['CLIENT_GONE', undefined]);
  assert.ok(bytes > 0);
  assert.equal((await made.curl('/v1.52/images/json')).stdout, '[]');
  await lading(['prune', '--store', made.store, '--grace', '0', '--resume', '0']);
  await assertAtRest(made.store);
  assert.deepEqual(await blobsOf(made.store), []);
});

test('curl: a slow but steady upload lives longer than the idle time', async (t) => {
  if (!requireTool(t, 'curl')) return;
  const { curl, archive, store, built, audited } = await bench(t, ['--idle-timeout', '2s']);
  const { status, stdout } = await curl('--limit-rate', '60k', '-X', 'POST', '-T', archive, '/v1.52/images/load');
  assert.equal(status, 0);
  assert.match(stdout, /Loaded image/);
  const { durationMs } = await audited('load');
  assert.ok(durationMs > 2000, `${durationMs} ms`);
  assert.equal((await onlyImageOf(store)).digest, built.root.digest);
});

test('curl: over TCP, requests of web pages and for other hosts are refused', async (t) => {
  if (!requireTool(t, 'curl')) return;
  const { url } = await startServe(t, { host: 'tcp://127.0.0.1:0', options: ['--insecure-no-tls'] });
  const ping = async (...args: string[]): Promise<string> => {
    const write = ['-sS', '--noproxy', '*', '-o', '/dev/null', '-w', '%{http_code}'];
    return (await runCommand('curl', [...write, ...args, `${url.replace('tcp:', 'http:')}/_ping`])).stdout;
  };
  assert.equal(await ping(), '200');
  assert.equal(await ping('-H', 'Host: rebound.example:2375'), '421');
  assert.equal(await ping('-H', 'Origin: http://localhost'), '403');
});

test('curl: goes on with a save that was cut, and gets one in four parts at once', async (t) => {
  if (!requireTool(t, 'curl')) return;
  const { curl, at } = await loadedBench(t);
  const expected = (await curl(SAVED)).output;
  await writeFile(at('cut.tar'), expected.subarray(0, 70_001));
  assert.equal((await curl('-C', '-', '-o', at('cut.tar'), SAVED)).status, 0);
  assert.ok((await readFile(at('cut.tar'))).equals(expected));
  const quarter = Math.ceil(expected.length / 4);
  const parts = await Promise.all(
    [0, 1, 2, 3].map(async (part) => await curl('-r', `${part * quarter}-${(part + 1) * quarter - 1}`, SAVED)),
  );
  assert.ok(Buffer.concat(parts.map(({ output }) => output)).equals(expected));
});
