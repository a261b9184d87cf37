import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { lading, requireTool, runCommand, type CommandResult } from '../fixtures/command.js';
import { example, FAMILIAR, NAME, type Example } from '../fixtures/example.js';
import { dockerFor, DOCKERS, dockerTest, requireDocker, type DockerBench } from './docker.js';
import { assertAtRest, startServe } from './serve-command.js';
import { blobsOf, onlyImageOf, sortedClosure } from './workspace.js';

const LOADED = `Loaded image: ${FAMILIAR}\n`;

async function assertWhole(store: string, { blobs, root }: Example): Promise<void> {
  const { name, digest } = await onlyImageOf(store);
  assert.deepEqual({ name, digest }, { name: NAME, digest: root.digest });
  assert.deepEqual(await blobsOf(store), sortedClosure(blobs, root));
  await assertAtRest(store);
}

async function assertNothing({ docker, store }: DockerBench): Promise<void> {
  assert.equal(await docker('images', '-a', '-q'), '');
  await assertAtRest(store);
}

dockerTest('load -i stores every blob of an archive', {}, async ({ docker, archive, store, built }) => {
  assert.equal(await docker('load', '-i', archive), LOADED);
  await assertWhole(store, built);
});

dockerTest('load reads a pipe, also with gzip', {}, async ({ run, archive, store, built }) => {
  const bytes = await readFile(archive);
  for (const input of [gzipSync(bytes), bytes]) {
    const { status, stdout } = await run(['load'], { input });
    assert.deepEqual({ status, stdout }, { status: 0, stdout: LOADED });
    await assertWhole(store, built);
  }
});

dockerTest('load shows its progress on a terminal, and reports a corrupt archive', {}, async (bench, t) => {
  if (!requireTool(t, 'script')) return;
  const { file, env, at, archive, store, built } = bench;
  await writeFile(at('bad.tar'), corrupted(built, await readFile(archive)));
  const load = async (input: string): Promise<CommandResult> =>
    await runCommand('script', ['-qec', `'${file}' load -i '${input}'`, '/dev/null'], { env });
  const corrupt = await load(at('bad.tar'));
  assert.equal(corrupt.status, 1);
  assert.match(corrupt.stdout, /content hashes to sha256:/);
  await assertNothing(bench);
  const { status, stdout } = await load(archive);
  assert.equal(status, 0);
  assert.match(stdout, new RegExp(`${built.of('linux/arm64').digest.slice(7, 19)}: Loaded blob`));
  assert.match(stdout, /Loaded image: example\/app:1\r\n$/);
  await assertWhole(store, built);
});

/** The archive with one changed byte in a layer. */
function corrupted({ blobs, of }: Example, archive: Buffer): Buffer {
  const layer = blobs.links(of('linux/arm64').digest).layers?.[0];
  assert.ok(layer);
  const at = archive.indexOf(blobs.bytes(layer.digest));
  return Buffer.concat([
    archive.subarray(0, at + 99),
    Buffer.from([~(archive[at + 99] ?? 0)]),
    archive.subarray(at + 100),
  ]);
}

const CUT = 'a truncated archive';

const BROKEN: Readonly<Record<string, readonly [(bench: DockerBench, archive: Buffer) => Buffer, RegExp]>> = {
  'a corrupt archive': [({ built }, archive) => corrupted(built, archive), /content hashes to sha256:/],
  [CUT]: [(_, archive) => archive.subarray(0, archive.length / 2), /was cut, fetch it again/],
  'an empty file': [() => Buffer.alloc(0), /./],
  'bytes that are not an archive': [() => Buffer.alloc(4096, 'no archive'), /./],
};

dockerTest('load refuses broken archives, from a file and from a pipe', {}, async (bench) => {
  const archive = await readFile(bench.archive);
  for (const [what, [breakIt, expected]] of Object.entries(BROKEN)) {
    const input = breakIt(bench, archive);
    await writeFile(bench.at('bad.tar'), input);
    const message = await bench.refused('load', '-i', bench.at('bad.tar'));
    assert.match(message, /^Error response from daemon: /, what);
    assert.match(message, expected, what);
    const { status, stdout, stderr } = await bench.run(['load'], { input });
    assert.deepEqual({ status, stdout, stderr }, { status: 1, stdout: '', stderr: message }, what);
    // What came whole before a cut stays for another try; a refused load leaves nothing.
    if (what === CUT) await lading(['prune', '--store', bench.store, '--grace', '0', '--resume', '0']);
    await assertNothing(bench);
  }
});

dockerTest('save writes the bytes of lading save, to a file and to a pipe', { loaded: true }, async (bench) => {
  const { docker, run, at, store } = bench;
  await docker('save', '-o', at('file.tar'), FAMILIAR);
  const { status, output } = await run(['save', FAMILIAR]);
  assert.equal(status, 0);
  await lading(['save', '--store', store, '-o', at('lading.tar'), FAMILIAR]);
  const expected = await readFile(at('lading.tar'));
  assert.ok(output.equals(expected), 'the pipe differs');
  assert.ok((await readFile(at('file.tar'))).equals(expected), 'the file differs');
  assert.equal((await bench.audited('save')).bytes, expected.length);
});

dockerTest('save of an unknown image leaves no file and writes no byte', { loaded: true }, async (bench) => {
  const { run, refused, at } = bench;
  assert.match(await refused('save', '-o', at('out.tar'), 'unknown:1'), /No such image: unknown:1/);
  assert.equal(existsSync(at('out.tar')), false);
  const { status, output } = await run(['save', FAMILIAR, 'unknown:1']);
  assert.deepEqual({ status, bytes: output.length }, { status: 1, bytes: 0 });
});

dockerTest('save of a damaged store fails', { loaded: true }, async ({ run, at, store, built }) => {
  const layer = built.blobs.links(built.of('linux/arm64').digest).layers?.[1];
  assert.ok(layer);
  const file = join(store, 'blobs', 'sha256', layer.digest.slice(7));
  const bytes = Buffer.from(built.blobs.bytes(layer.digest));
  bytes[99] = ~(bytes[99] ?? 0) & 0xff;
  await chmod(file, 0o600);
  await writeFile(file, bytes);
  for (const args of [
    ['save', FAMILIAR],
    ['save', '-o', at('out.tar'), FAMILIAR],
  ]) {
    const { status, stderr } = await run(args);
    assert.equal(status, 1);
    assert.notEqual(stderr, '');
  }
});

for (const docker of DOCKERS) {
  test(`docker ${docker.version}: several images saved as one archive load elsewhere with their digests`, async (t) => {
    if (!requireDocker(t, docker)) return;
    const [from, to] = [await startServe(t), await startServe(t)];
    const [source, target] = [await dockerFor(docker, from), await dockerFor(docker, to)];
    const [one, two] = [example(), example({ seed: 'other', mediaTypes: 'docker' })];
    await writeFile(from.at('one.tar'), await layoutArchive(one.images, one.blobs));
    await writeFile(
      from.at('two.tar'),
      await layoutArchive([{ root: two.root, name: 'docker.io/library/two:2' }], two.blobs),
    );
    await source.docker('load', '-q', '-i', from.at('one.tar'));
    await source.docker('load', '-q', '-i', from.at('two.tar'));
    await source.docker('tag', FAMILIAR, 'localhost:5000/deep/er/name:x');
    const names = [FAMILIAR, 'two:2', 'localhost:5000/deep/er/name:x'];
    await source.docker('save', '-o', from.at('all.tar'), ...names);
    const output = await target.docker('load', '-i', from.at('all.tar'));
    assert.deepEqual(
      output.split('\n').filter(Boolean).toSorted(),
      names.map((name) => `Loaded image: ${name}`).toSorted(),
    );
    const listed = ['images', '--no-trunc', '--digests', '--format', '{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}}'];
    // With digests the command prints the names in any order.
    const images = (await target.docker(...listed)).split('\n').toSorted();
    assert.deepEqual(images, (await source.docker(...listed)).split('\n').toSorted());
    assert.ok(images.includes(`two:2 ${two.root.digest} ${two.root.digest}`));
    assert.deepEqual(await blobsOf(to.store), await blobsOf(from.store));
  });
}
