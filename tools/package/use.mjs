import assert from 'node:assert/strict';
import { createRequire, register } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/*
 * Uses the installed package as a program does: `node tools/package/use.mjs FOLDER`, where FOLDER has it in node_modules.
 * Imports and requires each entry, then runs every example with the package in place of the sources.
 */

const [, , folder = '.'] = process.argv;
const user = path.resolve(folder, 'user.js');
const require = createRequire(user);
register('./installed.mjs', { parentURL: import.meta.url, data: { user: pathToFileURL(user).href } });

for (const entry of ['lading', 'lading/server', 'lading/stages', 'lading/stores']) {
  const file = require.resolve(entry);
  assert.ok(file.startsWith(path.resolve(folder, 'node_modules')), file);
  const [imported, required] = [await import(pathToFileURL(file).href), require(entry)];
  assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort());
  for (const [name, value] of Object.entries(imported)) assert.equal(required[name], value, name);
}
const replaced = await import(new URL('../../build/src/index.js', import.meta.url).href);
assert.equal(replaced.loadImages, require('lading').loadImages);
await import(new URL('../../build/test/project/examples.test.js', import.meta.url).href);
