import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../fixtures/tables.js';

/*
 * Whoever uses the package can name every type that it mentions. The declarations in `dist/types` are what users get, so they
 * are read here as text: each exported declaration, and in it each type of the project.
 */

const DIST = path.join(projectRoot(), 'dist', 'types');
const ENTRIES = ['index', 'server/index', 'stages/index', 'stores/index'];

/** A name that a file exports, and the file that declares it. */
interface Export {
  readonly name: string;
  readonly file: string;
}

function textOf(file: string): string {
  return readFileSync(path.join(DIST, `${file}.d.ts`), 'utf8').replaceAll(/\/\*[^]*?\*\//g, '');
}

/** The names in `{ a, type B, C as D }`, by the name that the outside sees. */
function namesIn(list: string): readonly string[] {
  return list
    .split(',')
    .map((name) =>
      name
        .trim()
        .replace(/^type /, '')
        .replace(/^.* as /, ''),
    )
    .filter((name) => name !== '');
}

/** `import { … } from './x.js'` and `export { … } from './x.js'`, with the path of the other file. */
function linksOf(file: string, word: 'import' | 'export'): readonly Export[] {
  const pattern = new RegExp(String.raw`^${word} (?:type )?\{([^}]*)\} from '(\.[^']*)\.js'`, 'gm');
  return [...textOf(file).replaceAll('"', "'").matchAll(pattern)].flatMap(([, list = '', other = '']) => {
    const from = path.posix.join(path.posix.dirname(file), other);
    return namesIn(list).map((name) => ({ name, file: from }));
  });
}

/** What each entry point exports, as declared. */
const PUBLIC = new Map(ENTRIES.map((entry) => [entry, linksOf(entry, 'export').map(declaredBy)]));
const MAIN = (PUBLIC.get('index') ?? []).map(keyOf);

function keyOf({ name, file }: Export): string {
  return `${file} ${name}`;
}

/** Follows a name through the files that only pass it on. */
function declaredBy(one: Export): Export {
  const passed = linksOf(one.file, 'export').find(({ name }) => name === one.name);
  return passed === undefined ? one : declaredBy(passed);
}

/** The top-level statements of a file, each with the name that it declares. */
function declarationsIn(file: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const statement =
    /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const) (\w+)[^]*?(?=^\S(?<!\}))/gm;
  for (const [text, name = ''] of `${textOf(file)}\nexport {};\n`.matchAll(statement))
    found.set(name, (found.get(name) ?? '') + text);
  return found;
}

/** The types of the project that a declaration mentions and that are not among the `known` ones. */
function unnamedIn({ name, file }: Export, known: ReadonlySet<string>): readonly string[] {
  const declarations = declarationsIn(file);
  const text = declarations.get(name);
  assert.ok(text !== undefined, `${name} is not in ${file}.d.ts`);
  const imported = linksOf(file, 'import').map(declaredBy);
  const types = [...declarations].filter(([, declared]) =>
    /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type) /.test(declared),
  );
  const local = types.map(([own]) => ({ name: own, file }));
  return [...imported, ...local]
    .filter((one) => one.name !== name && isMentioned(one.name, text) && !known.has(keyOf(one)))
    .map((one) => `${name} mentions ${one.name} of ${one.file}`);
}

/** Members that only subclasses or the class itself can see do not count, nor do names of members and parameters. */
function isMentioned(type: string, text: string): boolean {
  const visible = text.replaceAll(/^\s+(?:private|protected) [^]*?;$/gm, '').replaceAll(/\b\w+\??(?=\s*:)/g, '');
  return new RegExp(String.raw`(?<![.'"\w])${type}\b(?!['"])`).test(visible);
}

test('finds the declarations, and a type that is not exported', () => {
  assert.ok(existsSync(path.join(DIST, 'index.d.ts')), 'run npm run build');
  assert.ok(MAIN.length > 80, `${MAIN.length} names`);
  assert.equal(isMentioned('Limits', 'declare function f(limits: Partial<Limits>): void;'), true);
  assert.equal(isMentioned('limits', 'declare function f(limits: Partial<Limits>): void;'), false);
  assert.ok(declarationsIn('load/load-images').get('LoadOptions')?.includes('onProgress'));
});

for (const [entry, exported] of PUBLIC) {
  test(`${entry} exports every type that its names mention, or the main entry point does`, () => {
    const known = new Set([...exported.map(keyOf), ...MAIN]);
    assert.deepEqual([...new Set(exported.flatMap((one) => unnamedIn(one, known)))].toSorted(), []);
  });
}
