import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './fixtures/tables.js';

/** One source file: its path under `src/`, its text without comments, and what it imports. */
interface SourceFile {
  readonly file: string;
  readonly lines: number;
  readonly code: string;
  /** Packages and builtins by name, files of ours by their path under `src/`, without ending. */
  readonly imports: readonly string[];
}

const SRC = path.join(projectRoot(), 'src');
const IMPORT = /^(?:import|export)\s(?:[^;'"]*\sfrom\s)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .toSorted()
  .map(readSource);

function readSource(file: string): SourceFile {
  const text = readFileSync(path.join(SRC, file), 'utf8');
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$|\s\/\/ .*$/gm, '');
  const found = [IMPORT, DYNAMIC].flatMap((pattern) => [...code.matchAll(pattern)].map(([, name = '']) => name));
  const imports = found.map((name) => (name.startsWith('.') ? resolved(file, name) : name));
  return { file, lines: text.split('\n').length - 1, code, imports };
}

function resolved(file: string, name: string): string {
  return path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '');
}

/** The floor of a file by its folder: model 0, stores 1, stages 2, pipelines 3, faces 4. */
function floorOf(file: string): number {
  const floor = ['model', 'stores', 'stages'].indexOf(file.split('/')[0] ?? '');
  if (floor !== -1) return floor;
  return file.includes('/') ? 4 : 3;
}

const inside = (folder: string): readonly SourceFile[] => files.filter(({ file }) => file.startsWith(`${folder}/`));
const isOurs = (name: string): boolean => files.some(({ file }) => file === `${name}.ts`);

/** Every file that breaks a rule, with what it imports: the message of a failing test. */
function broken(rule: (source: SourceFile, imported: string) => boolean, among = files): readonly string[] {
  return among.flatMap((source) =>
    source.imports
      .filter((imported) => !rule(source, imported))
      .map((imported) => `${source.file} imports ${imported}`),
  );
}

/** Files that may, and do, import one of the names. */
function importers(...names: readonly string[]): readonly string[] {
  return files.filter(({ imports }) => imports.some((name) => names.includes(name))).map(({ file }) => file);
}

test('finds the sources and what they import', () => {
  assert.ok(files.length > 50, `${files.length} files`);
  const load = files.find(({ file }) => file === 'load-images.ts');
  assert.ok(load?.imports.includes('stages/commit') && load.imports.includes('node:stream'));
});

test('imports nothing of a higher floor, and only files that exist', () => {
  assert.deepEqual(
    broken(({ file }, imported) => !isOurs(imported) || floorOf(imported) <= floorOf(file)),
    [],
  );
  const local = broken((_, imported) => isOurs(imported) || /^(?:node:|@)?[a-z][\w.-]*(?:\/[\w.-]+)*$/.test(imported));
  assert.deepEqual(local, []);
});

test('keeps model pure: itself, and builtins without I/O', () => {
  const pure = ['node:crypto', 'node:path'];
  assert.deepEqual(
    broken((_, imported) => imported.startsWith('model/') || pure.includes(imported), inside('model')),
    [],
  );
});

test('lets a stage import no other stage', () => {
  const shared = ['stages/stage', 'stages/records'];
  const stages = inside('stages').filter(({ file }) => file !== 'stages/index.ts');
  assert.deepEqual(
    broken((_, imported) => !imported.startsWith('stages/') || shared.includes(imported), stages),
    [],
  );
});

test('lets nobody import the barrels but faces', () => {
  const barrels = ['stages/index', 'index'];
  assert.deepEqual(
    broken(({ file }, imported) => !barrels.includes(imported) || floorOf(file) === 4),
    [],
  );
});

test('lets nobody import the command', () => {
  assert.deepEqual(
    broken(({ file }, imported) => !imported.startsWith('cli/') || file.startsWith('cli/')),
    [],
  );
});

test('lets nobody import the server but the command, by its public names', () => {
  const outside = broken((_, imported) => !imported.startsWith('server/')).filter(
    (line) => !line.startsWith('server/'),
  );
  assert.deepEqual(outside, ['cli/commands/serve.ts imports server/index']);
});

test('lets the server import the public names and its own folder only', () => {
  assert.deepEqual(
    broken(
      (_, imported) => !isOurs(imported) || imported === 'index' || imported.startsWith('server/'),
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

test('touches the file system in stores and in the command only, but for sockets', () => {
  const outside = importers('fs-extra', 'fs', 'node:fs', 'node:fs/promises', 'fs/promises').filter(
    (file) => !file.startsWith('stores/') && !file.startsWith('cli/'),
  );
  // A stale unix socket is removed by whoever wants to listen there.
  assert.deepEqual(outside, ['server/listeners.ts']);
});

test('uses stream-json in one file, and commander in the command only', () => {
  const json = files.filter(({ imports }) => imports.some((name) => /^stream-(?:json|chain)\b/.test(name)));
  assert.deepEqual(
    json.map(({ file }) => file),
    ['stores/strict-json.ts'],
  );
  assert.deepEqual(importers('commander'), ['cli/main.ts']);
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

test('asks for the process in the command, and in the one file that says who we are', () => {
  const asking = files.filter(({ code }) => /(?<![.\w'"])process\b|globalThis\.process|node:process/.test(code));
  const outside = asking.map(({ file }) => file).filter((file) => !file.startsWith('cli/'));
  assert.deepEqual(outside, ['stores/identity.ts']);
});

test('knows no clock and no random number below the faces, except in stores', () => {
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

test('tells the public names and nothing else in index.ts', () => {
  const index = files.find(({ file }) => file === 'index.ts');
  const statements = (index?.code ?? '').split(';').map((statement) => statement.trim());
  assert.deepEqual(
    statements.filter((statement) => statement !== '' && !/^export (?:type )?\{[^}]*\} from '/.test(statement)),
    [],
  );
});
