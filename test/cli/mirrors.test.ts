import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readRegistriesFile } from '../../src/cli/registries-file.js';
import type { LadingError } from '../../src/model/errors.js';
import { jsonOf, type PrintedError } from '../fixtures/cli-workspace.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { example, NAME } from '../fixtures/example.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';
import { temporaryFolder } from '../fixtures/stores.js';

const open = sharedRegistry();
const built = example({ platforms: ['linux/amd64'], layerBytes: 3_000_000, compression: 'none' });

async function sceneFor(t: TestContext) {
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return undefined;
  const [origin, mirror] = [
    await FaultProxy.start(t, scene.registry.port),
    await FaultProxy.start(t, scene.registry.port),
  ];
  const name = `${origin.host}/mirrored/app:1`;
  assertOk(await scene.lading(['push', NAME, `${scene.registry.host}/mirrored/app:1`]));
  const file = scene.at('registries.json');
  const config = async (document: unknown, to = file) =>
    await writeFile(to, typeof document === 'string' ? document : JSON.stringify(document));
  return { ...scene, origin, mirror, name, file, config };
}

const blobs = (proxy: FaultProxy): number => proxy.requests('GET', /\/blobs\//).length;

test('reads from the mirrors of an option, of a file, and of the file of the user', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, at, origin, mirror, name, file, config, home } = scene;
  const said = `${name}@${built.root.digest}\n`;
  await config({ [origin.host]: { mirrors: [mirror.host] } });
  const own = path.join(home, '.config', 'lading');
  await mkdir(own, { recursive: true });
  const ways: readonly (readonly string[])[] = [
    ['--mirror', `${origin.host}=${mirror.host}`],
    ['--registries', file],
    [],
  ];
  for (const [at_, way] of ways.entries()) {
    if (way.length === 0) await config(await readFile(file, 'utf8'), path.join(own, 'registries.json'));
    const before = blobs(mirror);
    assertOk(await lading(['pull', '--store', at(`pulled-${at_}`), name, ...way]), said);
    assert.ok(blobs(mirror) > before, way.join(' '));
  }
  assert.equal(blobs(origin), 0);
  await config({ [origin.host]: { mirrors: [{ host: mirror.host, tags: true }] } });
  const heads = origin.seen.length;
  const inspected = await lading(['inspect', `docker://${name}`, '--registries', file, '--json']);
  assert.equal(inspected.status, 0, inspected.stderr);
  assert.ok(origin.seen.slice(heads).every(({ url }) => !url.includes('/manifests/1')));
});

test('writes an archive again if a mirror gave wrong bytes, but cannot take back what a pipe got', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, at, origin, mirror, name } = scene;
  mirror.fault = ({ url }) => (url.includes('/blobs/') ? { flipAt: 2_000_000 } : undefined);
  const args = ['--mirror', `${origin.host}=${mirror.host}`];
  const written = await lading(['copy', `docker://${name}`, `oci-archive:${at('x.tar')}`, ...args]);
  assert.deepEqual(
    [written.status, /warning: the mirror .* is left out/i.test(written.stderr)],
    [0, true],
    written.stderr,
  );
  assertOk(await lading(['verify', '--archive', at('x.tar')]));
  const piped = await lading(['copy', `docker://${name}`, 'oci-archive:-', ...args, '--json']);
  assert.equal(piped.status, 5, piped.stderr);
  assert.match(piped.stderr, new RegExp(`came from the mirror ${mirror.host}`));
});

test('copies a list by way of a mirror, and pushes nothing to it', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, at, origin, mirror, name, registry } = scene;
  await writeFile(
    at('list.txt'),
    `docker://${name} docker://${registry.host}/to/a:1\ndocker://${name} docker://${registry.host}/to/b:1\n`,
  );
  assertOk(await lading(['copy', '--from-file', at('list.txt'), '--mirror', `${origin.host}=${mirror.host}`]));
  assert.deepEqual([blobs(origin), mirror.seen.filter(({ method }) => method !== 'GET')], [0, []]);
});

test('takes the settings of a registry from the file', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, registry, file, config } = scene;
  await config({ [registry.host]: { plainHttp: true } });
  assertOk(await lading(['tags', `${registry.host}/mirrored/app`, '--registries', file]), '1\n');
});

const BAD: readonly (readonly [string, unknown, RegExp])[] = [
  ['no JSON', '{', /JSON/i],
  ['a list', [], /no object with a registry for each field/],
  ['no entry', { 'a.example': true }, /"\\?"a\.example\\?"" must be an object|a\.example.* must be an object/],
  ['an unknown field', { 'a.example': { mirror: ['b'] } }, /there is no option .*mirror.*may have: mirrors, plainHttp/],
  ['a wrong type', { 'a.example': { plainHttp: 'yes' } }, /plainHttp must be true or false/],
  ['no registry', { 'A B': {} }, /is not a repository/],
  ['one registry twice', { 'docker.io': {}, 'index.docker.io': {} }, /two entries for docker\.io/],
  ['a certificate without its key', { 'a.example': { clientCert: 'x' } }, /clientCert and clientKey/],
  ['a mirror of itself', { 'a.example': { mirrors: ['a.example'] } }, /another registry than a\.example/],
  ['a mirror that is none', { 'a.example': { mirrors: ['https://b.example/x'] } }, /is no mirror|is not a repository/],
];

for (const [what, document, message] of BAD)
  test(`refuses a file of registries with ${what}`, async (t) => {
    const file = path.join(await temporaryFolder(t), 'registries.json');
    await writeFile(file, typeof document === 'string' ? document : JSON.stringify(document));
    await assert.rejects(readRegistriesFile(file, {}, '/'), (error: LadingError) => {
      assert.equal(error.code, 'ERR_OPTION_INVALID');
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(`the file of registries "${file}"`), error.message);
      return true;
    });
  });

test('refuses a wrong file or option before anything is asked', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, name, file, config, origin, at } = scene;
  const seen = origin.seen.length;
  await config({ 'a.example': { caFile: 'nowhere.crt' } });
  const refused = await lading(['pull', name, '--registries', file, '--json']);
  const { error } = jsonOf<PrintedError>(refused.stderr);
  assert.deepEqual([refused.status, error.code], [2, 'ERR_OPTION_INVALID']);
  assert.match(error.message, /caFile of a\.example: cannot read/);
  const missing = await lading(['pull', name, '--registries', at('nowhere.json')]);
  assert.deepEqual([missing.status, /there is no such file/.test(missing.stderr)], [2, true], missing.stderr);
  const odd = await lading(['pull', name, '--mirror', 'a.example']);
  assert.deepEqual([odd.status, /--mirror is HOST=MIRROR/.test(odd.stderr)], [2, true], odd.stderr);
  const old = await lading(['pull', name, '--registries', 'none']);
  assert.deepEqual([old.status, /--client-registries/.test(old.stderr)], [2, true], old.stderr);
  assert.equal(origin.seen.length, seen);
});
