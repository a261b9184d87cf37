import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

/*
 * Bundles the compiled command into a few files in `dist/bin`. Without that, a small command spends half of its time on
 * finding and linking two hundred modules. The library and the parts that only `lading serve` needs are not bundled.
 */

const OUT = 'dist/bin';

/** Packages that only `lading serve` loads, which may start more slowly. */
const SERVER_PACKAGES = ['fastify', '@fastify/swagger', 'prom-client'];

/** The scripts of threads. */
const THREADS = [
  'dist/stores/layout/ingest/copy-worker.js',
  'dist/archives/pipe-thread.js',
  'dist/pump/hash-thread.js',
  'dist/pump/writer-thread.js',
];

await rm(OUT, { recursive: true, force: true });

/** Packages that only archives or layers in zstd or xz need. They are not in the bundle: their code is large. */
const UNPACKING_PACKAGES = ['zstddec/stream', 'xz-decompress'];

const OPTIONS = {
  entryNames: '[name]',
  outdir: OUT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: [...SERVER_PACKAGES, ...UNPACKING_PACKAGES, 'koffi'],
  // Packages in CommonJS load builtins with `require`, which a module does not have.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
};

// The thread's script must lie beside the command: the module that starts it looks for it beside itself. It has its own
// copies of the modules that it needs. Shared modules would lie in more and smaller files, which every start has to find.
const bundles = [
  await build({ ...OPTIONS, entryPoints: [{ in: 'dist/cli/start.js', out: 'main' }], splitting: true }),
  await build({ ...OPTIONS, entryPoints: THREADS }),
];
const inputs = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs));
await writeFile(path.join(OUT, 'LICENSES.txt'), await licensesOf(inputs));

/** The license texts of the packages in the bundle. The licenses require that they are passed on. */
async function licensesOf(inputs) {
  const folders = new Set(inputs.flatMap((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  const texts = [...folders].map(async (folder) => {
    const name = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
    if (name === undefined) throw new Error(`${folder} has no license file`);
    return `${folder.slice('node_modules/'.length)}\n\n${await readFile(path.join(folder, name), 'utf8')}`;
  });
  return (await Promise.all(texts)).join('\n----\n\n');
}
