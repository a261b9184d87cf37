import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { writeDemoArchive } from '../../examples/demo-image.js';
import { exportImages, loadImages, MemoryStore } from '../../src/index.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { runCommand, type CommandResult } from '../fixtures/command.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { companionName, cosignLayer, signatureManifest, signer, simplePayload } from '../fixtures/signatures.js';
import { fill, temporaryFolder } from '../fixtures/stores.js';

const PLATFORMS = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'];
const NAMES = ['docker.io/example/app:1', 'docker.io/example/app:2'];
/** Commands of other programs that the pages name, as far as they are needed here. */
const FAKES: Readonly<Record<string, string>> = {
  lading: `exec ${process.execPath} ${LADING} "$@"`,
  // The other host is another store.
  ssh: 'shift; LADING_STORE="$HOME/far" exec bash -c "$*"',
  docker: `case "$1" in
    compose) echo example/app:1 ;;
    load) shift; exec lading load --store "$HOME/docker" "$@" ;;
    import) exec tar -t ;;
    *) exit 64 ;;
  esac`,
  // What is installed here is under test.
  npm: 'test "$*" = "install --global lading"',
  runc: 'exec test -f "$3/config.json"',
};

/** Two images of three platforms, each signed by a key. */
async function signedArchive(folder: string): Promise<{ readonly archive: Buffer; readonly key: string }> {
  const store = new MemoryStore();
  const key = signer('release');
  for (const [at, name] of NAMES.entries()) {
    const file = path.join(folder, `${at}.demo`);
    await writeDemoArchive(file, name, PLATFORMS.slice(0, PLATFORMS.length - at));
    const { images } = await loadImages(store, file);
    const digest = images[0]?.digest ?? assert.fail(name);
    const blobs = new BlobSet();
    const descriptor = signatureManifest(blobs, cosignLayer(key, simplePayload(digest)));
    await fill(store, [{ name: companionName(digest, 'sig'), descriptor }], blobs);
  }
  return { archive: await bytesOf(exportImages(store, NAMES)), key: key.pem };
}

/** A folder in which the pages' commands run. */
export interface Home {
  readonly folder: string;
  /** The archive of the images. */
  readonly archive: Buffer;
  readonly run: (file: string, args: readonly string[], input?: Buffer | string) => Promise<CommandResult>;
}

/** A home with all that the pages name, and a store with the images. Returns what runs a program in it. */
export async function home(t: TestContext): Promise<Home> {
  const folder = await temporaryFolder(t);
  const at = (name: string): string => path.join(folder, name);
  for (const name of ['bin', 'fixtures']) await mkdir(at(name));
  for (const [name, script] of Object.entries(FAKES)) {
    await writeFile(at(`bin/${name}`), `#!/bin/bash\n${script}\n`);
    await chmod(at(`bin/${name}`), 0o755);
  }
  const { archive, key } = await signedArchive(folder);
  for (const name of ['images.tar', 'old.tar', 'new.tar']) await writeFile(at(name), archive);
  await writeFile(at('cosign.pub'), key);
  await writeFile(at('list.txt'), 'example/app:1\nexample/app:2\n');
  const signed = { names: ['**'], signatures: [{ keys: ['release'] }] };
  const keys = { release: { file: 'cosign.pub' } };
  await writeFile(at('policy.json'), JSON.stringify({ version: 1, keys, default: 'allow', rules: [signed] }));
  const env = {
    HOME: folder,
    XDG_DATA_HOME: undefined,
    LADING_STORE: undefined,
    PATH: `${at('bin')}:${process.env['PATH']}`,
  };
  const run = async (file: string, args: readonly string[], input: Buffer | string = '') =>
    await runCommand(file, args, { cwd: folder, env, input });
  assert.equal((await run('lading', ['load', '-q', '-i', 'images.tar'])).status, 0);
  return { folder, archive, run };
}
