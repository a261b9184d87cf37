import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

/*
 * Makes `dist/bin`, the command as few files, out of what tsc has compiled: half of the time that a small command takes goes
 * into finding and linking two hundred modules. The library stays as it is, and so does what only `lading serve` needs.
 */

const OUT = 'dist/bin';

/** Loaded by `lading serve` alone, whose start nobody waits for. */
const SERVER_PACKAGES = ['fastify', '@fastify/swagger', 'prom-client'];

await rm(OUT, { recursive: true, force: true });
const { metafile } = await build({
  // The thread's script lies beside the command: it is found by the name that it has beside its module.
  entryPoints: ['dist/cli/main.js', 'dist/stores/layout/ingest/copy-worker.js'],
  entryNames: '[name]',
  outdir: OUT,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: SERVER_PACKAGES,
  // Packages in CommonJS ask for builtins by `require`, which a module does not have.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});
await writeFile(path.join(OUT, 'LICENSES.txt'), await licensesOf(Object.keys(metafile.inputs)));

/** What the licenses of the packages in the bundle ask for: their texts. */
async function licensesOf(inputs) {
  const folders = new Set(inputs.flatMap((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  const texts = [...folders].map(async (folder) => {
    const name = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
    if (name === undefined) throw new Error(`${folder} has no license file`);
    return `${folder.slice('node_modules/'.length)}\n\n${await readFile(path.join(folder, name), 'utf8')}`;
  });
  return (await Promise.all(texts)).join('\n----\n\n');
}
