import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { jsonOf, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { output } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import {
  asLayoutImage,
  companionName,
  cosignLayer,
  dsseLayer,
  signatureManifest,
  signatureOf,
  signatureRecord,
  signer,
  simplePayload,
  statement,
  KEY_KINDS,
} from '../fixtures/signatures.js';
import type { TrustReport } from '../../src/trust/trust-report.js';

/** A workspace whose store has the example, signed by a key, and both keys as files. */
async function signedWorkspace(t: Parameters<typeof workspace>[0]) {
  const built = example();
  const [release, other] = [signer('release'), signer('other')];
  const signature = signatureManifest(built.blobs, cosignLayer(release, simplePayload(built.root.digest)));
  const images = [...built.images, { root: signature, name: companionName(built.root.digest, 'sig') }];
  const space = await workspace(t, { built });
  await writeFile(space.archive, await layoutArchive(images, built.blobs));
  assert.equal((await space.run(['load', '-i', space.archive])).status, 0);
  for (const [name, { pem }] of Object.entries({ release, other })) await writeFile(space.at(`${name}.pub`), pem);
  return space;
}

test('tells whether images are signed by a key, and exits with 9 if not', async (t) => {
  const { run, at, built } = await signedWorkspace(t);
  const good = await run(['verify', '--key', at('release.pub')]);
  assert.equal(good.status, 0, good.stderr);
  assert.match(
    good.stdout,
    new RegExp(`${FAMILIAR}: signed\n  cosign over ${built.root.digest}: valid by "release.pub"`),
  );
  const either = await run(['verify', '--key', at('other.pub'), '--key', at('release.pub'), FAMILIAR]);
  assert.equal(either.status, 0, either.stderr);
  const bad = await run(['verify', '--key', at('other.pub')]);
  assert.equal(bad.status, 9);
  assert.match(bad.stdout, new RegExp(`${FAMILIAR}: not trusted\n.*ERR_SIGNATURE_INVALID`));
  assert.equal((await run(['verify'])).status, 0);
});

test('tells signatures that are loaded with an image, and are none', async (t) => {
  const { archive, built } = await signedWorkspace(t);
  const { run } = await workspace(t);
  const { stdout } = await run(['load', '-i', archive]);
  const name = `example/app:${built.root.digest.replace(':', '-')}.sig`;
  assert.equal(stdout, `Loaded image: ${FAMILIAR}\nLoaded companion: ${name}\n`);
  const { images } = jsonOf<{ readonly images: readonly { readonly companionOf?: string }[] }>(
    (await run(['load', '--json', '-i', archive])).stdout,
  );
  assert.deepEqual(
    images.map(({ companionOf }) => companionOf),
    [undefined, built.root.digest],
  );
  const removed = await run(['rm', FAMILIAR]);
  assert.match(removed.stdout, new RegExp(`^Untagged: ${FAMILIAR}\nUntagged: ${name}\n`));
});

test('has the same in its report, and none of it without a key', async (t) => {
  const { run, at, built } = await signedWorkspace(t);
  const { stdout } = await run(['verify', '--json', '--key', at('release.pub')]);
  const { trust } = jsonOf<{ readonly trust: readonly TrustReport[] }>(stdout);
  assert.deepEqual(
    trust.map(({ digest, decision, isRootSigned }) => [digest, decision, isRootSigned]),
    [[built.root.digest, 'allowed', true]],
  );
  assert.equal('trust' in jsonOf<object>((await run(['verify', '--json'])).stdout), false);
});

test('keeps a signature with its image through a save of one platform and a load elsewhere', async (t) => {
  const { run, at } = await signedWorkspace(t);
  assert.equal((await run(['save', '--platform', 'linux/arm64', '-o', at('part.tar'), FAMILIAR])).status, 0);
  const elsewhere = await workspace(t);
  assert.equal((await elsewhere.run(['load', '-i', at('part.tar')])).status, 0);
  const verified = await elsewhere.run(['verify', '--key', at('release.pub')]);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
});

test('loads nothing unless a key signed it, from a pipe too', async (t) => {
  const { archive, at } = await signedWorkspace(t);
  const { run, state } = await workspace(t);
  const bad = await run(['load', '--json', '-i', archive, '--key', at('other.pub')]);
  assert.deepEqual([bad.status, jsonOf<PrintedError>(bad.stderr).error.code], [9, 'ERR_SIGNATURE_INVALID']);
  assert.deepEqual(await state(), { images: [], blobs: [] });
  const piped = await run(['load', '--key', at('other.pub')], { input: await readFile(archive) });
  assert.equal(piped.status, 9);
  const good = await run(['load', '-i', archive, '--key', at('release.pub'), '--platform', 'linux/arm64']);
  assert.equal(good.status, 0, good.stderr);
  assert.equal((await run(['verify', '--key', at('release.pub')])).status, 0);
});

test('tells damage before trust', async (t) => {
  const { run, at, store, built } = await signedWorkspace(t);
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  const file = `${store}/blobs/${layer?.digest.replace(':', '/')}`;
  const bytes = await readFile(file);
  await output('chmod', ['u+w', file]);
  await writeFile(file, bytes.fill(0));
  assert.equal((await run(['verify', '--dry-run', '--key', at('other.pub')])).status, 5);
});

test('refuses a key that is none, before anything is read', async (t) => {
  const { run, at } = await workspace(t);
  await writeFile(at('bad.pub'), 'ssh-ed25519 AAAA');
  const bad = await run(['verify', '--json', '--key', at('bad.pub')]);
  assert.deepEqual([bad.status, jsonOf<PrintedError>(bad.stderr).error.code], [2, 'ERR_KEY_INVALID']);
  const missing = await run(['verify', '--json', '--key', at('none.pub')]);
  assert.deepEqual([missing.status, jsonOf<PrintedError>(missing.stderr).error.code], [4, 'ERR_SOURCE_UNKNOWN']);
  const archive = await run(['verify', '--json', '--archive', at('archive.tar'), '--key', at('bad.pub')]);
  assert.equal(archive.status, 2);
});

test('agrees with openssl on signatures by every kind of key', async (t) => {
  const { at } = await workspace(t);
  for (const kind of KEY_KINDS) {
    const own = signer('own', kind);
    const payload = Buffer.from(JSON.stringify(simplePayload(example().root.digest)));
    await writeFile(at('key.pub'), own.pem);
    await writeFile(at('payload'), payload);
    await writeFile(at('signature'), signatureOf(own, payload));
    const files = ['-signature', at('signature')];
    const how =
      own.hash === null
        ? [
            'pkeyutl',
            '-verify',
            '-pubin',
            '-inkey',
            at('key.pub'),
            '-rawin',
            '-sigfile',
            at('signature'),
            '-in',
            at('payload'),
          ]
        : ['dgst', `-${own.hash}`, '-verify', at('key.pub'), ...files, at('payload')];
    assert.match(await output('openssl', how), /Verified OK|Signature Verified Successfully/);
  }
});

/** Writes a policy file that wants a signature by release.pub beside it. */
async function writePolicy(file: string, change: object = {}): Promise<void> {
  const rule = { names: ['docker.io/example/**'], signatures: [{ keys: ['release'] }], ...change };
  const policy = { version: 1, keys: { release: { file: 'release.pub' } }, default: 'deny', rules: [rule] };
  await writeFile(file, JSON.stringify(policy));
}

test('verifies by a policy, whose key files lie beside it', async (t) => {
  const { run, at } = await signedWorkspace(t);
  await writePolicy(at('policy.json'));
  const good = await run(['verify', '--policy', at('policy.json')]);
  assert.equal(good.status, 0, good.stderr);
  assert.match(good.stdout, new RegExp(`${FAMILIAR}: signed \\(rules\\[0\\]\\)\n  cosign over .*: valid by "release"`));
  await writePolicy(at('deny.json'), { names: ['registry.example.com/**'] });
  const bad = await run(['verify', '--policy', at('deny.json')]);
  assert.deepEqual([bad.status, /no rule allows this name \[ERR_POLICY_DENIED\]/.test(bad.stdout)], [9, true]);
  assert.equal((await run(['verify', '--policy', at('policy.json'), '--key', at('release.pub')])).status, 2);
});

test('loads by a policy of an option or of LADING_POLICY, and says when none is checked', async (t) => {
  const { archive, at } = await signedWorkspace(t);
  await writePolicy(at('good.json'));
  await writePolicy(at('bad.json'), { maxBytes: 1 });
  const loading = async (args: readonly string[], policy?: string) => {
    const { run, state } = await workspace(t);
    const env = policy === undefined ? {} : { LADING_POLICY: at(policy) };
    const { status, stderr } = await run(['load', '-i', archive, ...args], { env });
    const loaded = (await state()).images.length > 0;
    assert.equal(loaded, status === 0, stderr);
    return { status, stderr };
  };
  const good = await loading(['--policy', at('good.json')]);
  assert.deepEqual(good, { status: 0, stderr: '' });
  const bad = await loading(['--policy', at('bad.json')]);
  assert.match(bad.stderr, /^lading: nothing was loaded: example\/app:1: it has \d+ bytes; .*\[ERR_POLICY_DENIED\]\n$/);
  assert.equal(bad.status, 9);
  assert.equal((await loading([], 'bad.json')).status, 9);
  assert.equal((await loading(['--policy', at('good.json')], 'bad.json')).status, 0);
  const none = await loading(['--no-policy'], 'bad.json');
  assert.deepEqual(none, { status: 0, stderr: 'lading: --no-policy: no policy is checked\n' });
  const key = await loading(['--key', at('release.pub')], 'bad.json');
  assert.deepEqual([key.status, /--no-policy/.test(key.stderr)], [2, true]);
  assert.equal((await loading(['--key', at('release.pub'), '--no-policy'], 'bad.json')).status, 0);
  const told = await loading(['--policy-report'], 'bad.json');
  assert.match(told.stderr, /^lading: warning: the policy would deny example\/app:1: it has /);
  assert.equal((await loading(['--policy-report'])).status, 2);
});

test('refuses a policy that is none, before the archive is opened', async (t) => {
  const { run, at } = await workspace(t);
  await writeFile(at('release.pub'), 'none');
  const cases: readonly (readonly [content: string | undefined, status: number, code: string])[] = [
    [undefined, 4, 'ERR_SOURCE_UNKNOWN'],
    ['{', 2, 'ERR_POLICY_INVALID'],
    ['{"version":1,"default":"deny","rules":[],"extra":1}', 2, 'ERR_POLICY_INVALID'],
    ['{"version":1,"keys":{"a":{"file":"none.pub"}},"default":"deny","rules":[]}', 2, 'ERR_POLICY_INVALID'],
    ['{"version":1,"keys":{"a":{"file":"release.pub"}},"default":"deny","rules":[]}', 2, 'ERR_KEY_INVALID'],
  ];
  for (const [place, [content, status, code]] of cases.entries()) {
    const file = at(`policy-${place}.json`);
    if (content !== undefined) await writeFile(file, content);
    for (const args of [['load', '-i', at('none.tar')], ['verify']]) {
      const refused = await run([...args, '--json', '--policy', file]);
      assert.deepEqual([refused.status, jsonOf<PrintedError>(refused.stderr).error.code], [status, code]);
    }
  }
});

test('verifies archives, folders and pipes by a key or a policy, without a store', async (t) => {
  const { archive, at } = await signedWorkspace(t);
  await writePolicy(at('policy.json'));
  await mkdir(at('layout'));
  await output('tar', ['-xf', archive, '-C', at('layout')]);
  const { run, state } = await workspace(t);
  const ways = [
    ['--archive', archive],
    ['--archive', at('layout')],
    ['--archive', '-'],
    ['--archive', `${archive}:1`],
  ];
  for (const way of ways) {
    const input = way[1] === '-' ? { input: await readFile(archive) } : {};
    for (const by of [
      ['--key', at('release.pub')],
      ['--policy', at('policy.json')],
    ]) {
      const good = await run(['verify', ...way, ...by], input);
      assert.deepEqual([good.status, good.stderr], [0, '']);
      assert.match(good.stdout, new RegExp(`${FAMILIAR}: signed`));
    }
    const bad = await run(['verify', '--json', ...way, '--key', at('other.pub')], input);
    const { trust } = jsonOf<{ readonly trust: readonly TrustReport[] }>(bad.stdout);
    assert.deepEqual(
      [bad.status, trust.map(({ decision, reasons }) => [decision, reasons[0]?.code])],
      [9, [['denied', 'ERR_SIGNATURE_INVALID']]],
    );
  }
  assert.deepEqual(await state(), { images: [], blobs: [] });
  // Damage is told before trust.
  const damaged = await readFile(archive);
  damaged.fill(1, damaged.length / 2, damaged.length / 2 + 100);
  assert.equal((await run(['verify', '--archive', '-', '--key', at('other.pub')], { input: damaged })).status, 5);
});

test('verifies an attestation of some MiB in an archive', async (t) => {
  const built = example();
  const release = signer('release');
  const said = { ...statement(built.root.digest, 'https://spdx.dev/Document'), predicate: 'x'.repeat(5 * 1024 * 1024) };
  const record = signatureRecord(built.blobs, built.root, dsseLayer([release], said));
  const space = await workspace(t, { built });
  await writeFile(space.archive, await layoutArchive([...built.images, asLayoutImage(record)], built.blobs));
  await writeFile(space.at('release.pub'), release.pem);
  await writePolicy(space.at('policy.json'), {
    signatures: undefined,
    attestations: [{ predicateType: 'https://spdx.dev/Document', keys: ['release'] }],
  });
  for (const command of [
    ['verify', '--archive'],
    ['load', '-i'],
  ]) {
    const { status, stdout, stderr } = await space.run([
      ...command,
      space.archive,
      '--policy',
      space.at('policy.json'),
    ]);
    assert.equal(status, 0, stdout + stderr);
  }
});
