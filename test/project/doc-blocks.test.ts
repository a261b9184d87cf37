import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { writeDemoArchive } from '../../examples/demo-image.js';
import { exportImages, loadImages, MemoryStore } from '../../src/index.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { runCommand } from '../fixtures/command.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { companionName, cosignLayer, signatureManifest, signer, simplePayload } from '../fixtures/signatures.js';
import { fill, temporaryFolder } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';
import { docBlocks, type DocBlock } from './doc-blocks.js';

/* What the pages show runs as it stands there, in a folder that has what it names. */

/** `npm test` runs those of the README; `test:all` those of every page. */
const isLong = process.env['LADING_TESTS'] === 'all';

const PLATFORMS = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'];
const NAMES = ['docker.io/example/app:1', 'docker.io/example/app:2'];
const BLOCKS = docBlocks();

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

/** A home with all that the pages name, and a store with the images. Returns what runs a program in it. */
async function home(t: TestContext) {
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

function chosen(language: string): readonly DocBlock[] {
  return BLOCKS.filter((block) => block.language === language && block.skip === undefined);
}

test('blocks that are not run say why, and there are few of them', (t) => {
  const skipped = BLOCKS.filter(({ skip }) => skip !== undefined);
  for (const { place, skip } of skipped) t.diagnostic(`${place}: ${skip}`);
  assert.ok(chosen('sh').length > 6 && chosen('ts').length > 10, 'the pages have blocks');
  assert.ok(skipped.length <= 12, String(skipped.length));
});

for (const block of chosen('sh').filter(({ place }) => isLong || place.startsWith('README.md'))) {
  test(`${block.place} runs`, async (t) => {
    const { run } = await home(t);
    const { status, stderr } = await run('bash', ['-eo', 'pipefail', '-c', block.text]);
    assert.equal(status, 0, stderr);
  });
}

test('each block of TypeScript fits the types of the package, and those without exports run', async (t) => {
  const { folder, archive, run } = await home(t);
  const modules = path.join(folder, 'node_modules');
  await mkdir(modules);
  await symlink(projectRoot(), path.join(modules, 'lading'));
  await symlink(path.join(projectRoot(), 'node_modules', '@types'), path.join(modules, '@types'));
  await symlink(path.join(projectRoot(), 'node_modules', 'undici-types'), path.join(modules, 'undici-types'));
  const blocks = chosen('ts');
  for (const [at, { text }] of blocks.entries()) await writeFile(path.join(folder, `block-${at}.ts`), text);
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
  const compilerOptions = { module: 'nodenext', target: 'es2023', strict: true, types: ['node'], rootDir: '.' };
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['block-*.ts'] }));
  const tsc = path.join(projectRoot(), 'node_modules', '.bin', 'tsc');
  const { status, stdout } = await run(process.execPath, [await entryOf(tsc), '-p', folder]);
  const places = blocks.map(({ place }, at) => `block-${at}.ts is ${place}`).join('\n');
  assert.equal(status, 0, `${stdout}\n${places}`);
  for (const [at, { text, place }] of blocks.entries()) {
    if (/^export /m.test(text)) continue;
    const result = await run(process.execPath, [`block-${at}.js`], archive);
    assert.equal(result.status, 0, `${place}: ${result.stderr}`);
  }
});

/** The script behind a link in `.bin`. */
async function entryOf(link: string): Promise<string> {
  const { stdout } = await runCommand('readlink', ['-f', link]);
  return stdout.trim();
}

test('each block of JSON is JSON, whole or line by line', () => {
  for (const { place, text } of chosen('json')) {
    const documents = text.startsWith('{\n') ? [text] : text.trimEnd().split('\n');
    for (const document of documents) assert.doesNotThrow(() => JSON.parse(document), place);
  }
});
