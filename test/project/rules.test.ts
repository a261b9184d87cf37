import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../fixtures/tables.js';
import { BARRELS, broken, files, importers, inside, isOurs, type SourceFile, SERVER_FILES } from './source-files.js';

test('lets model import only itself, and builtins without I/O', () => {
  const pure = ['node:crypto', 'node:path'];
  assert.deepEqual(
    broken((_, imported) => imported.startsWith('model/') || pure.includes(imported), inside('model')),
    [],
  );
});

test('lets a stage import no other stage', () => {
  const shared = ['stages/records', 'stages/byte-stage', 'stages/select-rules'];
  const stages = inside('stages').filter(({ file }) => file !== 'stages/index.ts');
  assert.deepEqual(
    broken((_, imported) => !imported.startsWith('stages/') || shared.includes(imported), stages),
    [],
  );
});

function isNoBarrel({ file }: SourceFile, imported: string): boolean {
  return !BARRELS.includes(imported) || (imported === 'index' && file.startsWith('server/'));
}

test('lets only the server import index.ts, and no file but index.ts import the index of a room', () => {
  const importing = broken(isNoBarrel).filter((line) => !line.startsWith('index.ts '));
  assert.deepEqual(importing, ['cli/commands/serve.ts imports server/index']);
});

test('lets no other room import the command', () => {
  assert.deepEqual(
    broken(({ file }, imported) => !imported.startsWith('cli/') || file.startsWith('cli/')),
    [],
  );
});

test('lets only the command import the server, by its public names', () => {
  const outside = broken((_, imported) => !imported.startsWith('server/')).filter(
    (line) => !line.startsWith('server/'),
  );
  assert.deepEqual(outside, ['cli/commands/serve.ts imports server/index']);
});

test('lets the server import the public names, its own folder and the few files that it shares only', () => {
  assert.deepEqual(
    broken(
      (_, imported) =>
        !isOurs(imported) || ['index', ...SERVER_FILES].includes(imported) || imported.startsWith('server/'),
      inside('server'),
    ),
    [],
  );
});

test('has the HTTP status numbers in one file', () => {
  const number = /(?<![\w.'])(?:20[014]|304|40[03489]|413|42[12]|431|50[0137])(?![\w.'])/;
  const numbers = inside('server').filter(({ code }) => number.test(code));
  assert.deepEqual(
    numbers.map(({ file }) => file),
    ['server/statuses.ts'],
  );
});

test('imports fastify and prom-client in the server only', () => {
  const packages = ['fastify', '@fastify/swagger', 'prom-client'];
  assert.deepEqual(
    importers(...packages).filter((file) => !file.startsWith('server/')),
    [],
  );
});

test('imports tar-stream in the two tar stages only', () => {
  assert.deepEqual(importers('tar-stream'), ['stages/tar-extract.ts', 'stages/tar-pack.ts']);
});

test('uses the file system only in files, archives, pump, two rooms of stores and command, except for sockets', () => {
  const outside = importers('fs-extra', 'fs', 'node:fs', 'node:fs/promises', 'fs/promises').filter(
    (file) => !/^(?:files|archives|pump|stores\/(?:layout|rootfs)|cli)\//.test(file),
  );
  // The server removes a stale unix socket before it listens there.
  assert.deepEqual(outside, ['server/unix-socket.ts']);
});

test('uses stream-json in one file, and commander in the command only', () => {
  const json = files.filter(({ imports }) => imports.some((name) => /^stream-(?:json|chain)\b/.test(name)));
  assert.deepEqual(
    json.map(({ file }) => file),
    ['content/strict-json.ts'],
  );
  assert.deepEqual(
    importers('commander').filter((file) => !file.startsWith('cli/')),
    [],
  );
});

function isTyped({ code }: SourceFile, name: string): boolean {
  return new RegExp(`^import type [^;]*from '${name}'`, 'm').test(code);
}

test('imports only the packages that package.json lists', () => {
  const { dependencies } = JSON.parse(readFileSync(path.join(projectRoot(), 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const known = new Set(Object.keys(dependencies));
  const isKnown = (source: SourceFile, imported: string): boolean =>
    isOurs(imported) ||
    imported.startsWith('node:') ||
    known.has(/^(?:@[^/]+\/)?[^/]+/.exec(imported)?.[0] ?? '') ||
    isTyped(source, imported);
  assert.deepEqual(broken(isKnown), []);
});

test('uses the process only in the command, for its identity, the name of a socket and LADING_NATIVE', () => {
  const asking = files.filter(({ code }) => /(?<![.\w'"])process\b(?!:)|globalThis\.process|node:process/.test(code));
  const outside = asking.map(({ file }) => file).filter((file) => !file.startsWith('cli/'));
  assert.deepEqual(outside, [
    'files/native.ts',
    'server/unix-socket.ts',
    'stores/layout/place/identity.ts',
    'stores/rootfs/caller.ts',
  ]);
});

test('uses clocks and random numbers only in the command, the server and the stores', () => {
  const asking = files.filter(({ code }) =>
    /\bDate\.now\(|new Date\(\)|Math\.random\(|randomUUID|randomBytes/.test(code),
  );
  const outside = asking.map(({ file }) => file).filter((file) => !/^(?:cli|stores|server)\//.test(file));
  assert.deepEqual(outside, []);
});

test('writes nothing to the console', () => {
  assert.deepEqual(
    files.filter(({ code }) => /\bconsole\.\w+\(/.test(code)).map(({ file }) => file),
    [],
  );
});

test('exports by name only', () => {
  assert.deepEqual(
    files.filter(({ code }) => /^export default\b|\bas default\b/m.test(code)).map(({ file }) => file),
    [],
  );
});

test('keeps files to 250 lines', () => {
  assert.deepEqual(
    files.filter(({ lines }) => lines > 250).map(({ file, lines }) => `${file}: ${lines} lines`),
    [],
  );
});

test('has only the public names in index.ts', () => {
  const index = files.find(({ file }) => file === 'index.ts');
  const statements = (index?.code ?? '').split(';').map((statement) => statement.trim());
  assert.deepEqual(
    statements.filter((statement) => statement !== '' && !/^export (?:type )?\{[^}]*\} from '/.test(statement)),
    [],
  );
});
