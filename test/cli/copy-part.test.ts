import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RewritingDestination } from '../../src/copy/rewriting-destination.js';
import { exportImages, loadImages, MemoryStore, planExport } from '../../src/index.js';
import { jsonOf, LADING, type PrintedError } from '../fixtures/cli-workspace.js';
import { runCommand } from '../fixtures/command.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { example, NAME, PLATFORMS } from '../fixtures/example.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';
import { fill } from '../fixtures/stores.js';

/*
 * docker-registry takes no index without all of its children, and an archive from a pipe cannot be read twice: a copy
 * of some platforms writes a new index on its way, the same as a save and a push write.
 */

const open = sharedRegistry();
const TWO = PLATFORMS.slice(0, 2);

interface Copied {
  readonly copies: readonly {
    readonly images: readonly { readonly digest: string; readonly sourceDigest?: string }[];
    readonly warnings: readonly { readonly code: string }[];
  }[];
}

test('copies some platforms of an archive, from a file and from a pipe, with a new index', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, archive, built, at } = scene;
  const part = ['--platform', TWO.join(','), '--json'];
  const wanted = await lading(['copy', `store:${NAME}`, `docker://${registry.host}/part/store:1`, ...part]);
  const [expected] = jsonOf<Copied>(wanted.stdout).copies[0]?.images ?? [];
  assert.notEqual(expected?.digest, built.root.digest);
  for (const index of ['auto', 'rewrite']) {
    const to = `docker://${registry.host}/part/${index}:1`;
    const copied = await lading(['copy', `oci-archive:${archive}`, to, ...part, '--index', index]);
    assert.equal(copied.status, 0, copied.stderr);
    const [copy] = jsonOf<Copied>(copied.stdout).copies;
    assert.deepEqual(
      copy?.images.map(({ digest, sourceDigest }) => [digest, sourceDigest]),
      [[expected?.digest, built.root.digest]],
    );
    assert.ok(copy?.warnings.some(({ code }) => code === 'WARN_INDEX_REWRITTEN'));
  }
  const layout = await lading(['copy', `oci-archive:${archive}`, `oci:${at('layout')}`, ...part, '--index', 'rewrite']);
  assert.equal(jsonOf<Copied>(layout.stdout).copies[0]?.images[0]?.digest, expected?.digest, layout.stderr);
  const listed = await lading(['images', '--store', at('layout'), '--json']);
  assert.ok(listed.stdout.includes(expected?.digest ?? '?') && !listed.stdout.includes(built.root.digest));
  const piped = `docker://${registry.host}/part/piped:1`;
  // A pipe of the shell, since the stdin that Node gives a process is a socket.
  const line = `cat '${archive}' | '${process.execPath}' '${LADING}' copy oci-archive:- '${piped}' --platform '${TWO.join(',')}'`;
  const { status, stdout, stderr } = await runCommand('sh', ['-c', line]);
  assert.deepEqual([status, stdout], [0, `Copied: ${piped}@${expected?.digest}\n`], stderr);
  assert.match(stderr, /a new index was written: sha256:[0-9a-f]{64} instead of sha256:/);
  const inspected = await lading(['inspect', piped, '--json', '--check-blobs']);
  const { images } = jsonOf<{ images: { platforms: { platform: string; state: string }[] }[] }>(inspected.stdout);
  assert.deepEqual(
    images[0]?.platforms.map(({ state }) => state),
    TWO.map(() => 'complete'),
  );
});

test('writes no new index where the root is named, is to stay, or nothing is left out', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, archive, built } = scene;
  const refused = async (to: string, ...options: readonly string[]) => {
    const args = ['copy', `oci-archive:${archive}`, `docker://${registry.host}/kept/${to}`, ...options, '--json'];
    const { status, stderr } = await lading(args);
    return [status, jsonOf<PrintedError>(stderr.split('\n')[0] ?? '').error.code];
  };
  const part = ['--platform', TWO.join(',')];
  assert.deepEqual(await refused('a:1', ...part, '--index', 'preserve'), [6, 'ERR_REGISTRY_REFUSED']);
  assert.deepEqual(await refused(`a@${built.root.digest}`, ...part), [7, 'ERR_NAME_CONFLICT']);
  assert.equal((await lading(['tags', `${registry.host}/kept/a`])).stdout, '');
  const whole = await lading([
    'copy',
    `oci-archive:${archive}`,
    `docker://${registry.host}/kept/b:1`,
    '--index',
    'rewrite',
  ]);
  assertOk(whole, `Copied: docker://${registry.host}/kept/b:1@${built.root.digest}\n`);
});

test('leaves behind what was signed of an index in whose place a new one stands', async () => {
  const built = example();
  const { mediaType, digest, size } = built.root;
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const config = built.blobs.descriptor('{}', 'application/vnd.oci.empty.v1+json');
  const subject = { mediaType, digest, size };
  const document = { schemaVersion: 2, mediaType: type, artifactType: 'a/b', config, layers: [config], subject };
  const referrer = built.blobs.document(document, type);
  const marked = { ...referrer, annotations: { 'io.containerd.manifest.subject': digest } };
  const [signed, part] = [new MemoryStore(), new MemoryStore()];
  await fill(signed, [{ name: NAME, descriptor: built.root }, { descriptor: marked }], built.blobs);
  const archive = exportImages(signed, await planExport(signed, [NAME]));
  const rewriting = new RewritingDestination(part, 'always');
  const { images } = await loadImages(rewriting.destination, archive, { platforms: TWO });
  assert.deepEqual(
    rewriting.warningsOf(images).map(({ code }) => code),
    ['WARN_INDEX_REWRITTEN', 'WARN_REFERRER_DROPPED'],
  );
  const records = await part.list();
  assert.deepEqual(
    records.map(({ descriptor }) => descriptor.digest),
    rewriting.imagesOf(images).map((image) => image.digest),
  );
  assert.deepEqual(await part.referrersOf(digest), []);
  const whole = await planExport(part, [NAME]);
  assert.deepEqual([whole.incomplete, whole.warnings], [false, []]);
});
