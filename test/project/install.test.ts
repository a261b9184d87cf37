import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { output, requireTool } from '../fixtures/command.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';

const read = (file: string): string => readFileSync(path.join(projectRoot(), file), 'utf8');

/** What `npm install` of the package looks at. */
interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly overrides?: object;
  readonly engines: { readonly node: string };
  readonly repository: { readonly url: string };
  readonly bugs: { readonly url: string };
  readonly homepage: string;
}

/** A new one is a decision: each is kept by somebody else. */
const RUNTIME = [
  '@fastify/swagger',
  'commander',
  'fastify',
  'fs-extra',
  'light-my-request',
  'p-limit',
  'prom-client',
  'semver',
  'stream-chain',
  'stream-json',
  'tar-stream',
  'xz-decompress',
  'yaml',
  'zstddec',
];

/** A user waits for these bytes. */
const MAX_TARBALL_BYTES = 700_000;

const manifest = JSON.parse(read('package.json')) as Manifest;

/** A folder with the package in `node_modules`, the package itself, and the bytes of its tarball. */
interface Installed {
  readonly user: string;
  readonly root: string;
  readonly size: number;
}

/** What a test reads in the bill of materials. */
interface Bill {
  readonly metadata: { readonly timestamp?: string; readonly component: { readonly name: string } };
  readonly components: readonly { readonly name: string }[];
}

/** Packs the sources as a fresh clone has them, without `dist`, and unpacks the result as `node_modules/lading`. */
async function installed(t: TestContext): Promise<Installed> {
  const folder = await temporaryFolder(t);
  const [clone, user] = [path.join(folder, 'clone'), path.join(folder, 'user')];
  await cp(projectRoot(), clone, { recursive: true, filter: isInClone });
  await symlink(path.join(projectRoot(), 'node_modules'), path.join(clone, 'node_modules'));
  const archive = (await output('npm', ['pack', '--silent'], { cwd: clone })).trim();
  const { size } = await stat(path.join(clone, archive));
  const root = path.join(user, 'node_modules', 'lading');
  await mkdir(root, { recursive: true });
  await output('tar', ['-xzf', path.join(clone, archive), '--strip-components=1', '-C', root]);
  for (const name of Object.keys(manifest.dependencies)) {
    const link = path.join(user, 'node_modules', name);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(projectRoot(), 'node_modules', name), link);
  }
  return { user, root, size };
}

function isInClone(file: string): boolean {
  return !/^(?:node_modules|build|dist|\.git)$/.test(path.relative(projectRoot(), file));
}

test('a package made of a fresh clone has the command, the library and every page that a page links', async (t) => {
  if (!requireTool(t, 'npm', 'tar')) return;
  const { user, root, size } = await installed(t);
  assert.ok(size <= MAX_TARBALL_BYTES, `the tarball has ${size} bytes`);
  const version = await output(process.execPath, [path.join(root, 'dist/bin/main.js'), '--version']);
  assert.equal(version.trim(), (JSON.parse(read('package.json')) as { version: string }).version);
  for (const entry of ['lading', 'lading/server', 'lading/stages', 'lading/stores']) {
    const imported = `console.log(Object.keys(await import('${entry}')).sort().join())`;
    const required = `console.log(Object.keys(require('${entry}')).sort().join())`;
    const names = await output(process.execPath, ['--input-type=module', '-e', imported], { cwd: user });
    assert.equal(
      names.trim(),
      Object.keys((await import(entry)) as object)
        .sort()
        .join(),
    );
    assert.equal(await output(process.execPath, ['-e', required], { cwd: user }), names);
  }
  assert.match(await readFile(path.join(root, 'dist/bin/LICENSES.txt'), 'utf8'), /^commander\n/m);
  assert.match(await readFile(path.join(root, 'dist/man/lading.1'), 'utf8'), new RegExp(`"lading ${version.trim()}"`));
  const bill = JSON.parse(await readFile(path.join(root, 'sbom.cdx.json'), 'utf8')) as Bill;
  assert.deepEqual([bill.metadata.component.name, bill.metadata.timestamp], ['lading', undefined]);
  const named = new Set(bill.components.map(({ name }) => name));
  assert.deepEqual(
    RUNTIME.filter((one) => !named.has(one)),
    [],
  );
  assert.ok(!named.has('typescript'));
  assert.deepEqual(await brokenLinks(root), []);
});

/** The links of the package's pages to files that the package lacks. */
async function brokenLinks(root: string): Promise<readonly string[]> {
  const names = (await output('find', [root, '-name', '*.md'])).trim().split('\n');
  const files = new Set((await output('find', [root])).trim().split('\n'));
  assert.ok(names.includes(path.join(root, 'README.md')) && names.includes(path.join(root, 'docs', 'command.md')));
  const links = names.map(async (page) => {
    const targets = (await readFile(page, 'utf8')).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g);
    const missing = [...targets].filter(([, to = '']) => !files.has(path.join(path.dirname(page), to)));
    return missing.map(([, to]) => `${path.relative(root, page)}: ${to}`);
  });
  return (await Promise.all(links)).flat();
}

test('the package needs these packages to run, and no other', () => {
  assert.deepEqual(Object.keys(manifest.dependencies).sort(), RUNTIME);
});

test('package.json says where the project is', () => {
  assert.match(manifest.repository.url, /^git\+https:\/\/.*\.git$/);
  const base = manifest.repository.url.slice('git+'.length, -'.git'.length);
  assert.ok(manifest.bugs.url.startsWith(base) && manifest.homepage.startsWith(base));
});

test('nothing that users install asks for a newer Node than Lading does', () => {
  const { minVersion, satisfies } = createRequire(createRequire(import.meta.url).resolve('fastify'))('semver') as {
    readonly minVersion: (range: string) => { readonly version: string };
    readonly satisfies: (version: string, range: string) => boolean;
  };
  const oldest = minVersion(manifest.engines.node).version;
  const lock = JSON.parse(read('package-lock.json')) as {
    readonly packages: Readonly<
      Record<string, { readonly dev?: boolean; readonly engines?: { readonly node?: string } }>
    >;
  };
  const refusing = Object.entries(lock.packages)
    .filter(([, { dev, engines }]) => dev !== true && !satisfies(oldest, engines?.node ?? '*'))
    .map(([name, { engines }]) => `${name} ${engines?.node}`);
  assert.deepEqual(refusing, []);
  // npm obeys overrides of the top package only, so with them users would get other versions than the lock file has.
  assert.equal(manifest.overrides, undefined);
});
