import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/*
 * Writes what users of the library import: `dist/lib`, whose modules take their names from the bundle, so that the package
 * has all code once; and `dist/types`, the declarations that the entries lead to.
 */

const ENTRIES = ['index', 'server/index', 'stages/index', 'stores/index'];

for (const folder of ['dist/lib', 'dist/types']) await rm(folder, { recursive: true, force: true });
for (const entry of ENTRIES) {
  const names = Object.keys(await import(`../dist/${entry}.js`));
  await write(`dist/lib/${entry}.js`, libraryEntry(entry, names));
}
for (const file of await declarationsBelow(ENTRIES.map((entry) => `${entry}.d.ts`))) {
  await mkdir(path.join('dist/types', path.dirname(file)), { recursive: true });
  await cp(path.join('dist', file), path.join('dist/types', file));
}

/** A module with the names of an entry. The list is written out, since Node.js finds no names in the bundle. */
function libraryEntry(entry, names) {
  const bundle = path.posix.relative(path.posix.dirname(`lib/${entry}`), 'bin/remote.js');
  return [
    `import bundle from '${bundle}';`,
    `const library = bundle['dist/${entry}.js']();`,
    `export const {\n${names.map((name) => `  ${name},\n`).join('')}} = library;`,
    '',
  ].join('\n');
}

async function write(file, text) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** The declaration files, and all that they import, in `dist`. */
async function declarationsBelow(files) {
  const found = new Set(files);
  for (const file of found) {
    const text = await readFile(path.join('dist', file), 'utf8');
    for (const [, to] of text.matchAll(/(?:from|import\(|import) ?'(\.[^']+)\.js'/g))
      found.add(path.join(path.dirname(file), `${to}.d.ts`));
  }
  return found;
}
