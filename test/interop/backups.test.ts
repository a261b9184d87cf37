import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { LADING, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { lading, output, requireTool, runCommand, runLading, type CommandResult } from '../fixtures/command.js';
import { flipBit } from '../fixtures/damage.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { NAME } from '../fixtures/example.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { IS_ALL } from '../fixtures/extent.js';
import { prepareSsh } from '../fixtures/sshd.js';
import { projectRoot } from '../fixtures/tables.js';

/** One recipe of `examples/backups`, and what it needs. */
interface Recipe {
  readonly tools: readonly string[];
  readonly variables?: (at: At) => Readonly<Record<string, string>>;
  readonly prepare?: (space: Prepared) => Promise<void>;
  readonly backup: (at: At) => readonly string[];
  readonly restore: (at: At) => readonly string[];
}

type At = (name: string) => string;

const RECIPES: Readonly<Record<string, Recipe>> = {
  'file.sh': {
    tools: [],
    backup: (at) => ['backup', at('images.tar')],
    restore: (at) => ['restore', at('images.tar')],
  },
  'restic.sh': {
    tools: ['restic', 'jq'],
    variables: (at) => ({
      RESTIC_REPOSITORY: at('repository'),
      RESTIC_PASSWORD: 'secret',
      RESTIC_CACHE_DIR: at('cache'),
    }),
    prepare: async ({ env }) => void (await output('restic', ['init', '--quiet'], { env })),
    backup: () => ['backup'],
    restore: () => ['restore'],
  },
  'borg.sh': {
    tools: ['borg'],
    variables: (at) => ({ BORG_REPO: at('repository'), BORG_BASE_DIR: at('borg') }),
    prepare: async ({ env }) => void (await output('borg', ['init', '--encryption', 'none'], { env })),
    backup: () => ['backup'],
    restore: () => ['restore'],
  },
  'rclone.sh': {
    tools: ['rclone'],
    // A storage in memory would end with each command, so it is a folder behind the interface of a remote.
    variables: (at) => ({ RCLONE_CONFIG: at('rclone.conf'), RCLONE_CONFIG_FAR_TYPE: 'local', AWS_CA_BUNDLE: '' }),
    backup: (at) => ['backup', `far:${at('bucket')}/images.tar`],
    restore: (at) => ['restore', `far:${at('bucket')}/images.tar`],
  },
  'age.sh': {
    tools: ['age', 'age-keygen'],
    prepare: async ({ at }) => void (await output('age-keygen', ['-o', at('identity')])),
    backup: (at) => ['backup', at('images.age'), '$RECIPIENT'],
    restore: (at) => ['restore', at('images.age'), at('identity')],
  },
  'gpg.sh': {
    tools: ['gpg'],
    variables: (at) => ({ GNUPGHOME: at('gnupg') }),
    prepare: makeGpgKey,
    backup: (at) => ['backup', at('images.gpg'), 'backup@example.org'],
    restore: (at) => ['restore', at('images.gpg')],
  },
};

interface Prepared extends Workspace {
  /** The environment of the recipe: its variables, and `lading` in PATH. */
  readonly env: Readonly<Record<string, string>>;
  readonly bin: string;
  readonly script: (args: readonly string[], store: string) => Promise<CommandResult>;
}

/** A store with the example, and everything that the recipe needs. */
async function prepared(t: TestContext, name: string, recipe: Omit<Recipe, 'backup' | 'restore'>): Promise<Prepared> {
  const space = await workspace(t, { loaded: true });
  const { at } = space;
  const bin = at('bin');
  await mkdir(bin);
  await writeFile(path.join(bin, 'lading'), `#!/bin/sh\nexec '${process.execPath}' '${LADING}' "$@"\n`);
  await chmod(path.join(bin, 'lading'), 0o755);
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: space.folder, ...recipe.variables?.(at) };
  const file = path.join(projectRoot(), 'examples', 'backups', name);
  const script = async (args: readonly string[], store: string): Promise<CommandResult> =>
    await runCommand('bash', [file, ...args], { env: { ...env, LADING_STORE: store }, cwd: space.folder });
  const ready = { ...space, env, bin, script };
  await recipe.prepare?.(ready);
  return ready;
}

async function makeGpgKey({ at, env }: Prepared): Promise<void> {
  await mkdir(at('gnupg'), { mode: 0o700 });
  const key = ['--quick-generate-key', 'backup@example.org', 'default', 'default', 'never'];
  await output('gpg', ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...key], { env });
}

/** Flips a bit of a layer in the store. */
async function damage({ store, built }: Workspace): Promise<void> {
  const { layers = [] } = built.blobs.links(built.of('linux/amd64').digest);
  const file = path.join(store, 'blobs', 'sha256', layers[0]!.digest.slice('sha256:'.length));
  await chmod(file, 0o600);
  await flipBit(file);
}

/** The names and digests of a store; none if there is no such folder. */
async function imagesOf(store: string): Promise<readonly string[]> {
  if (!existsSync(store)) return [];
  const listed = JSON.parse(await output(process.execPath, [LADING, 'images', '--json', '--store', store])) as {
    images: readonly { name?: string; digest: string }[];
  };
  return listed.images.map(({ name, digest }) => `${name} ${digest}`);
}

test('every recipe is tried', async () => {
  const files = await readdir(path.join(projectRoot(), 'examples', 'backups'));
  const scripts = files.filter((file) => file.endsWith('.sh'));
  assert.deepEqual(scripts.toSorted(), [...Object.keys(RECIPES), 'ssh.sh', 'thin.sh'].toSorted());
});

for (const [name, recipe] of Object.entries(RECIPES)) {
  test(`${name} restores every image, also after a backup that failed`, async (t) => {
    if (!requireTool(t, ...recipe.tools)) return;
    const space = await prepared(t, name, recipe);
    const backup = await withRecipient(space, recipe.backup(space.at));
    // Twice: the second one meets what the first one left.
    for (let run = 0; run < 2; run += 1) await succeeds(space, backup, space.store);
    await restores(space, recipe, space.at('restored'));
    await damage(space);
    const failed = await space.script(backup, space.store);
    assert.notEqual(failed.status, 0);
    assert.match(failed.stderr, /sha256:/);
    await restores(space, recipe, space.at('again'));
  });

  test(`${name} says how it is used`, async (t) => {
    const space = await prepared(t, name, { tools: [] });
    const { status, stderr } = await space.script([], space.store);
    assert.deepEqual([status, stderr.startsWith(`usage: ${name} backup`)], [2, true]);
  });

  if (!IS_ALL) continue;
  test(`${name} leaves nothing to restore if the first backup fails`, async (t) => {
    if (!requireTool(t, ...recipe.tools)) return;
    const space = await prepared(t, name, recipe);
    await damage(space);
    const backup = await withRecipient(space, recipe.backup(space.at));
    assert.notEqual((await space.script(backup, space.store)).status, 0);
    assert.notEqual((await space.script(recipe.restore(space.at), space.at('restored'))).status, 0);
    assert.deepEqual(await imagesOf(space.at('restored')), []);
  });
}

/** Restores into a new store, and compares the names and digests with those of the store that was saved. */
async function restores(space: Prepared, recipe: Recipe, store: string): Promise<void> {
  await succeeds(space, recipe.restore(space.at), store);
  assert.deepEqual(await imagesOf(store), [`${NAME} ${space.built.root.digest}`]);
  await lading(['verify', '--store', store]);
}

async function succeeds(space: Prepared, args: readonly string[], store: string): Promise<void> {
  const { status, stdout, stderr } = await space.script(args, store);
  assert.equal(status, 0, stdout + stderr);
}

/** The arguments with the public key of age. */
async function withRecipient({ at }: Prepared, args: readonly string[]): Promise<readonly string[]> {
  if (!args.includes('$RECIPIENT')) return args;
  const recipient = (await output('age-keygen', ['-y', at('identity')])).trim();
  return args.map((arg) => (arg === '$RECIPIENT' ? recipient : arg));
}

test('thin.sh keeps a full archive and what it lacks, and a failed backup leaves the last good one', async (t) => {
  const space = await prepared(t, 'thin.sh', { tools: [] });
  const { at, built } = space;
  const [backup, restore] = [
    ['backup', at('kept')],
    ['restore', at('kept')],
  ];
  await succeeds(space, backup, space.store);
  await succeeds(space, restore, at('one'));
  assert.deepEqual(await imagesOf(at('one')), [`${NAME} ${built.root.digest}`]);
  const blobs = new BlobSet();
  const { root } = buildMultiPlatform(blobs, ['linux/amd64'], { seed: 'next' });
  await writeFile(at('next.tar'), await layoutArchive([{ root, name: 'docker.io/example/next:1' }], blobs));
  await lading(['load', '-i', at('next.tar'), '--store', space.store]);
  // A layer of the full archive is not read again: its sound copy is there.
  await damage(space);
  await succeeds(space, backup, space.store);
  await succeeds(space, restore, at('two'));
  const both = [`${NAME} ${built.root.digest}`, `docker.io/example/next:1 ${root.digest}`];
  assert.deepEqual(await imagesOf(at('two')), both);
  await lading(['verify', '--store', at('two')]);
  const digest = blobs.links(root.digest).manifests?.[0]?.digest ?? assert.fail();
  await damage({ ...space, built: { ...built, blobs, of: () => ({ ...root, digest }) } });
  const failed = await space.script(backup, space.store);
  assert.notEqual(failed.status, 0);
  await succeeds(space, restore, at('three'));
  assert.deepEqual(await imagesOf(at('three')), both);
});

test('thin.sh leaves nothing to restore if the first backup fails', async (t) => {
  const space = await prepared(t, 'thin.sh', { tools: [] });
  await damage(space);
  assert.notEqual((await space.script(['backup', space.at('kept')], space.store)).status, 0);
  assert.notEqual((await space.script(['restore', space.at('kept')], space.at('restored'))).status, 0);
  assert.equal((await space.script([], space.store)).status, 2);
});

/** A second store, reached by ssh. */
async function reached(t: TestContext): Promise<{ readonly space: Prepared; readonly far: string }> {
  const space = await prepared(t, 'ssh.sh', { tools: [] });
  const far = space.at('far');
  await prepareSsh(space.folder, space.bin, { LADING_STORE: far });
  return { space, far };
}

test('ssh.sh copies images to the store of another machine, and back', async (t) => {
  if (!requireTool(t, 'ssh', 'sshd')) return;
  const { space, far } = await reached(t);
  await succeeds(space, ['push', 'host', NAME], space.store);
  assert.deepEqual(await imagesOf(far), [`${NAME} ${space.built.root.digest}`]);
  await succeeds(space, ['fetch', 'host'], space.at('restored'));
  assert.deepEqual(await imagesOf(space.at('restored')), await imagesOf(far));
  await lading(['verify', '--store', space.at('restored')]);
});

test('ssh.sh fails with a damaged layer on either side, and the other store has nothing of it', async (t) => {
  if (!requireTool(t, 'ssh', 'sshd')) return;
  const { space, far } = await reached(t);
  await succeeds(space, ['push', 'host', NAME], space.store);
  await damage({ ...space, store: far });
  assert.notEqual((await space.script(['fetch', 'host'], space.at('restored'))).status, 0);
  assert.deepEqual(await imagesOf(space.at('restored')), []);
  await damage(space);
  await runLading(['rm', NAME, '--store', far]);
  assert.notEqual((await space.script(['push', 'host', NAME], space.store)).status, 0);
  assert.deepEqual(await imagesOf(far), []);
});
