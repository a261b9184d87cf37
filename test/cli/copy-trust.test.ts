import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import type { TrustReport } from '../../src/trust/trust-report.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { contentOf, jsonOf, type PrintedError } from '../fixtures/cli-workspace.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { example, NAME } from '../fixtures/example.js';
import { IS_ALL } from '../fixtures/extent.js';
import { assertOk, registryScene, type RegistryScene } from '../fixtures/registry-scene.js';
import { asLayoutImage, cosignLayer, signatureRecord, signer, simplePayload } from '../fixtures/signatures.js';
import { namesOf, stateOf } from '../fixtures/stores.js';

const registryFor = sharedRegistry();
const [RELEASE, OTHER] = [signer('release'), signer('other')];

/** A scene whose store and archive have the example, signed under its own name, and one that is not signed. */
async function signedScene(t: TestContext): Promise<RegistryScene | undefined> {
  const scene = await registryScene(t, registryFor);
  if (scene === undefined) return undefined;
  const built = example();
  const layer = cosignLayer(RELEASE, simplePayload(built.root.digest, NAME));
  const signature = asLayoutImage(signatureRecord(built.blobs, built.root, layer));
  await writeFile(scene.archive, await layoutArchive([...built.images, signature], built.blobs));
  assertOk(await scene.lading(['load', '-q', '-i', scene.archive]), undefined);
  for (const [name, { pem }] of Object.entries({ release: RELEASE, other: OTHER }))
    await writeFile(scene.at(`${name}.pub`), pem);
  return scene;
}

const NOTHING = { images: [], blobs: [] };

let repositories = 0;

/** All of them, or every third one, from another one for each source. */
function sampled<T>(all: readonly T[], start: number): readonly T[] {
  return IS_ALL ? all : all.filter((_, at) => at % 3 === start % 3);
}

/** What there is of a repository in the folder of the registry. */
function shownIn({ registry }: RegistryScene, repository: string): { readonly any: boolean; readonly images: boolean } {
  const folder = path.join(registry.folder, 'root/docker/registry/v2/repositories', repository);
  return { any: existsSync(folder), images: existsSync(path.join(folder, '_manifests')) };
}

/** Every kind of source of the signed example. */
async function sourcesOf({ lading, registry, archive }: RegistryScene): Promise<Readonly<Record<string, string>>> {
  repositories += 1;
  // The signature says docker.io/example/app, so the policy must judge the name that the image has at its source.
  const name = `${registry.host}/from-${repositories}/app:1`;
  assertOk(await lading(['push', NAME, name]));
  return { store: `store:${NAME}`, registry: `docker://${name}`, archive: `oci-archive:${archive}` };
}

test('copies what a key signed, from every source to every destination', async (t) => {
  const scene = await signedScene(t);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const sources = await sourcesOf(scene);
  const key = ['--key', at('release.pub')];
  for (const [order, [from, source]] of Object.entries(sources).entries()) {
    const targets = [
      `docker://${registry.host}/good-${from}/app:2`,
      `oci:${at(`${from}-layout`)}`,
      ...(from === 'archive' ? [] : [`oci-archive:${at(`${from}.tar`)}`, `docker-archive:${at(`${from}.docker.tar`)}`]),
      ...(from === 'store' ? ['store:renamed/app:3', `oci-archive:${at('named.tar')}:other.example/app:4`] : []),
    ];
    for (const target of sampled(targets, order)) {
      // A registry's own name is none that the signature states.
      const { status, stderr } = await lading(['copy', source, target, ...key]);
      const expected = from === 'registry' ? 9 : 0;
      assert.deepEqual([target, status], [target, expected], stderr);
      if (from === 'registry') assert.match(stderr, /names another repository/);
    }
  }
  const { stdout } = await lading(['copy', '--json', sources['store'] ?? '', `oci:${at('told')}`, ...key]);
  const { copies } = jsonOf<{ readonly copies: readonly { readonly trust: readonly TrustReport[] }[] }>(stdout);
  assert.deepEqual(
    copies.flatMap(({ trust }) => trust.map(({ name, decision }) => [name, decision])),
    [[NAME, 'allowed']],
  );
  const verified = await lading(['verify', '--store', at('told'), ...key]);
  assert.equal(verified.status, 0, verified.stdout);
});

test('shows nothing of an image that no wanted key signed, at any destination', async (t) => {
  const scene = await signedScene(t);
  if (scene === undefined) return;
  const { lading, registry, at, archive } = scene;
  const sources = await sourcesOf(scene);
  const key = ['--json', '--key', at('other.pub')];
  const refused = async (args: readonly string[], input?: Buffer): Promise<void> => {
    const { status, stdout, stderr, output } = await lading(args, input === undefined ? {} : { input });
    assert.equal(status, 9, `${args.join(' ')}: ${stdout}${stderr}`);
    assert.match(stdout + stderr, /ERR_SIGNATURE_INVALID/);
    assert.ok(args.some((one) => one.endsWith(':-')) ? !output.includes('ustar') : true, 'no archive on stdout');
  };
  for (const [order, [from, source]] of Object.entries(sources).entries()) {
    const to = `bad-${from}-${repositories}/app`;
    await refused(['copy', source, `docker://${registry.host}/${to}:2`, ...key]);
    // An archive is read once, so its layers arrive before they are judged; no image does.
    assert.deepEqual(shownIn(scene, to), { any: from === 'archive', images: false });
    const layout = at(`bad-${from}`);
    const files = [`oci-archive:${at('bad.tar')}`, `docker-archive:${at('bad.tar')}:x/y:1`, 'oci-archive:-'];
    const targets = [`oci:${layout}`, ...(from === 'archive' ? [] : files)];
    for (const target of sampled(targets, order)) await refused(['copy', source, target, ...key]);
    assert.equal(await contentOf(at('bad.tar')), undefined);
    assert.deepEqual(existsSync(layout) ? await stateOf(await OciLayoutStore.open(layout)) : NOTHING, NOTHING);
  }
  const dry = ['copy', '--dry-run', sources['store'] ?? '', `docker://${registry.host}/dry/app:2`, ...key];
  await refused(dry);
  const piped = `bad-pipe-${repositories}/app`;
  await refused(['copy', 'oci-archive:-', `docker://${registry.host}/${piped}:2`, ...key], await readFile(archive));
  assert.equal(shownIn(scene, piped).images, false);
  const before = await scene.state();
  await refused(['copy', sources['registry'] ?? '', 'store:bad/app:1', ...key]);
  assert.deepEqual(await scene.state(), before);
});

test('judges what a registry has already, and each line of a list alone', async (t) => {
  const scene = await signedScene(t);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  repositories += 1;
  const name = `docker://${registry.host}/line-${repositories}/app:1`;
  const [good, bad] = [
    ['--key', at('release.pub')],
    ['--key', at('other.pub')],
  ] as const;
  assertOk(await lading(['push', NAME, name]));
  assertOk(await lading(['push', NAME, name, ...good]), `Up to date: ${name.slice(9)}@${scene.built.root.digest}\n`);
  assert.equal((await lading(['push', NAME, name, ...bad])).status, 9);
  const plain = example({ seed: 'plain' });
  await writeFile(
    at('plain.tar'),
    await layoutArchive([{ root: plain.root, name: 'docker.io/example/plain:1' }], plain.blobs),
  );
  assertOk(await lading(['load', '-q', '-i', at('plain.tar')]));
  const lines = [`store:${NAME} oci:${at('list')}:1`, `store:docker.io/example/plain:1 oci:${at('list')}:2`];
  await writeFile(at('list.txt'), lines.join('\n'));
  const listed = await lading(['copy', '--from-file', at('list.txt'), ...good]);
  assert.deepEqual([listed.status, /no signature that can be checked/.test(listed.stderr)], [3, true], listed.stderr);
  assert.doesNotMatch((await namesOf(await OciLayoutStore.open(at('list')))).join(' '), /plain/);
});

test('copies a part of a signed index, and no new index that nobody signed', async (t) => {
  const scene = await signedScene(t);
  if (scene === undefined) return;
  const { lading, at } = scene;
  const args = ['copy', `store:${NAME}`, '--platform', 'linux/arm64', '--key', at('release.pub')];
  assert.equal((await lading([...args, `oci:${at('part')}`])).status, 0);
  const rewritten = await lading([...args, '--index', 'rewrite', `oci:${at('rewritten')}`]);
  assert.equal(rewritten.status, 9, rewritten.stderr);
  const dropped = await lading([...args, '--referrers', 'drop', '--json', `oci-archive:${at('x.tar')}`]);
  assert.deepEqual([dropped.status, existsSync(at('x.tar'))], [2, false]);
});

test('pulls what a key or a policy allows, and nothing else', async (t) => {
  const scene = await signedScene(t);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  repositories += 1;
  const repository = `${registry.host}/pull-${repositories}/app`;
  assertOk(await lading(['push', NAME, `${repository}:1`]));
  const rule = { names: [`${repository}:1`], signatures: [{ keys: ['release'], identity: 'any' }] };
  const policy = { version: 1, keys: { release: { file: 'release.pub' } }, default: 'deny', rules: [rule] };
  await writeFile(at('policy.json'), JSON.stringify(policy));
  const pulling = async (...args: readonly string[]) =>
    await lading(['pull', '--json', '--store', at('pulled'), `${repository}:1`, ...args]);
  for (const [args, code] of [
    [['--key', at('other.pub')], 'ERR_SIGNATURE_INVALID'],
    // The signature names docker.io/example/app.
    [['--key', at('release.pub')], 'ERR_SIGNATURE_INVALID'],
    [['--key', at('release.pub'), '--policy', at('policy.json')], 'ERR_OPTION_INVALID'],
    [['--policy', at('policy.json'), '--referrers', 'drop'], 'ERR_OPTION_INVALID'],
    [['--policy', at('none.json')], 'ERR_SOURCE_UNKNOWN'],
  ] as const) {
    const { stderr } = await pulling(...args);
    assert.equal(jsonOf<PrintedError>(stderr).error.code, code, args.join(' '));
    assert.deepEqual(
      existsSync(at('pulled')) ? await stateOf(await OciLayoutStore.open(at('pulled'))) : NOTHING,
      NOTHING,
    );
  }
  const good = await pulling('--policy', at('policy.json'));
  assert.equal(good.status, 0, good.stderr);
  const { trust } = jsonOf<{ readonly trust: readonly TrustReport[] }>(good.stdout);
  assert.deepEqual(
    trust.map(({ rule: by, decision }) => [by, decision]),
    [['rules[0]', 'allowed']],
  );
});
