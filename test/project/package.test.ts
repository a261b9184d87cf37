import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { digestOf } from '../../src/model/digest.js';
import { CopyWorkers } from '../../src/stores/layout/ingest/copy-workers.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';

const ENTRIES = {
  lading: 'src/index.ts',
  'lading/server': 'src/server/index.ts',
  'lading/stages': 'src/stages/index.ts',
  'lading/stores': 'src/stores/index.ts',
};

/** Every name that an index file exports, types too. */
function exportedNames(file: string): string[] {
  const text = readFileSync(path.join(projectRoot(), file), 'utf8');
  const lists = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].map(([, list = '']) => list);
  return lists.flatMap((list) => list.split(',').map((name) => name.replace(/^\s*type /, '').trim())).filter(Boolean);
}

for (const [entry, file] of Object.entries(ENTRIES)) {
  test(`the package can import ${entry} by the package's own name`, async () => {
    const names = Object.keys((await import(entry)) as object);
    const exported = new Set(exportedNames(file));
    assert.ok(names.length > 0);
    assert.deepEqual(
      names.filter((name) => !exported.has(name)),
      [],
    );
  });

  test(`docs/api.md lists exactly the exports of ${entry}`, () => {
    const text = readFileSync(path.join(projectRoot(), 'docs', 'api.md'), 'utf8');
    const section = text.split(/^## /m).find((part) => part.startsWith(`\`${entry}\``)) ?? '';
    const listed = [...section.matchAll(/^- `(\w+)`/gm)].map(([, name = '']) => name);
    assert.deepEqual(listed.sort(), exportedNames(file).sort());
  });
}

test('the bundled command copies in a thread', async (t) => {
  const script = pathToFileURL(path.join(projectRoot(), 'dist', 'bin', 'copy-worker.js'));
  const folder = await temporaryFolder(t);
  const [file, blob] = ['ingest', 'blob'].map((name) => path.join(folder, name)) as [string, string];
  await writeFile(path.join(folder, 'source'), 'content');
  const source = openSync(path.join(folder, 'source'), 'r');
  const expected = { digest: digestOf('content'), size: 7 };
  const workers = new CopyWorkers(1, script);
  assert.equal(await workers.store({ fd: source, start: 0, size: 7, expected, file, blob }), 'stored');
  await workers.end();
  closeSync(source);
  assert.equal(await readFile(blob, 'utf8'), 'content');
});

test('the package has the command, the types and no tests in it', () => {
  const listing = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: projectRoot(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files = [] } = {}] = JSON.parse(listing) as { files?: { path: string }[] }[];
  const paths = files.map((file) => file.path);
  for (const wanted of [
    'dist/lib/index.js',
    'dist/types/index.d.ts',
    'dist/bin/main.js',
    'dist/bin/copy-worker.js',
    'dist/bin/LICENSES.txt',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
  ]) {
    assert.ok(paths.includes(wanted), wanted);
  }
  assert.deepEqual(
    paths.filter((file) => /^(?:test|build|src|scripts)\//.test(file)),
    [],
  );
});
