import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

/*
 * Bundles the compiled command into a few files in `dist/bin`. Without that, a small command spends half of its time on
 * finding and linking two hundred modules. The files are CommonJS, which Node.js loads faster, and in which a module
 * runs when it is first asked for. Each module is in one file only: the others ask that file for it. Packages that only
 * `lading serve` needs are not bundled.
 */

const OUT = 'dist/bin';

/** Packages that only `lading serve` loads, which may start more slowly. */
const SERVER_PACKAGES = ['fastify', '@fastify/swagger', 'prom-client'];

/** Packages that only archives or layers in zstd or xz need. They are not in the bundle: their code is large. */
const UNPACKING_PACKAGES = ['zstddec/stream', 'xz-decompress'];

/** Packages that only sync documents need. */
const DOCUMENT_PACKAGES = ['yaml'];

/** The scripts of threads. They have their own copies of what they need, and lie beside the command that starts them. */
const THREADS = [
  'dist/stores/layout/ingest/copy-worker.js',
  'dist/archives/pipe-thread.js',
  'dist/pump/fill-thread.js',
  'dist/pump/hash-thread.js',
  'dist/pump/writer-thread.js',
];

/**
 * The files with the modules that a part of the command begins with, and all that these need and no file before has.
 * Node.js reads a file whole, so what `images`, `load` and `save` do not need stands in others.
 */
const PARTS = {
  lading: ['cli/main', 'cli/commands/images'],
  transfer: [
    'cli/commands/load',
    'cli/commands/save',
    'archives/open-pipe',
    'pump/archive-pump',
    ...['layout-reader', 'layout-session', 'prepare-layout'].map((name) => `stores/layout/${name}`),
  ],
  local: ['doctor', 'edit', 'inspect', 'prune', 'unpack', 'verify'].map((name) => `cli/commands/${name}`),
  // What users of the package import stands here too, see library.mjs.
  remote: [
    ...['complete', 'completion', 'copy-list', 'doctor', 'login', 'registry', 'serve'].map(
      (name) => `cli/commands/${name}`,
    ),
    'index',
    'server/index',
    'stages/index',
    'stores/index',
  ],
};

const OPTIONS = {
  entryNames: '[name]',
  outdir: OUT,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  external: [...SERVER_PACKAGES, ...UNPACKING_PACKAGES, ...DOCUMENT_PACKAGES, 'koffi'],
  banner: { js: "const thisFile = require('node:url').pathToFileURL(__filename).href;" },
  define: { 'import.meta.url': 'thisFile' },
  minifyWhitespace: true,
  metafile: true,
  logLevel: 'warning',
};

const { version } = JSON.parse(await readFile('package.json', 'utf8'));
await rm(OUT, { recursive: true, force: true });

/** The part that each module is in, by the module's path. */
const partOf = new Map();
/** The modules of each part that another file asks for, or a dynamic import. */
const asked = new Map(Object.keys(PARTS).map((part) => [part, new Set(PARTS[part].map(moduleOf))]));

const outputs = [];
// The first round finds out which modules stand where; in the second, each part offers what the others ask for.
for (const [part, names] of [...Object.entries(PARTS), ...Object.entries(PARTS)]) {
  for (const name of names) partOf.set(path.resolve(moduleOf(name)), part);
  const result = await build({
    ...OPTIONS,
    stdin: offering(part),
    outfile: `${OUT}/${part}.js`,
    outdir: undefined,
    plugins: [sharing(part), versioned()],
  });
  for (const file of Object.keys(result.metafile.inputs)) {
    if (!file.startsWith('other:')) partOf.set(path.resolve(file), part);
  }
  outputs.push(result);
}
const start = { entryPoints: [{ in: moduleOf('cli/start'), out: 'main' }], plugins: [sharing('main'), versioned()] };
outputs.push(await build({ ...OPTIONS, ...start }), await build({ ...OPTIONS, entryPoints: THREADS }));
await writeFile(path.join(OUT, 'package.json'), '{ "type": "commonjs" }\n');
const inputs = outputs.flatMap(({ metafile }) => Object.keys(metafile.inputs));
await writeFile(path.join(OUT, 'LICENSES.txt'), await licensesOf(inputs));

function moduleOf(name) {
  return name.endsWith('.js') ? name : `dist/${name}.js`;
}

/** The source of a part: a function for each module that others ask for, by its path. */
function offering(part) {
  const modules = [...asked.get(part)].sort((a, b) => (a < b ? -1 : 1));
  const lines = modules.map((file) => `exports['${file}'] = () => require('./${file}');`);
  return { contents: lines.join('\n'), resolveDir: process.cwd(), sourcefile: `${part}-modules.js` };
}

/** Lets a file ask the file of another part for the modules that stand there. */
function sharing(part) {
  const setup = ({ onResolve, onLoad, resolve }) => {
    onResolve({ filter: /^\.|^[a-z]/ }, async ({ path: wanted, pluginData, ...from }) => {
      if (pluginData === 'resolving' || from.kind === 'entry-point') return undefined;
      const found = await resolve(wanted, { ...from, pluginData: 'resolving' });
      if (isLater(found, part, from.kind)) partOf.set(found.path, 'local');
      const owner = partOf.get(found.path) ?? ownerOf(found.path);
      if (found.external || owner === undefined || owner === part || !isOther(owner, part, from.kind)) return found;
      return { path: path.relative(process.cwd(), found.path), namespace: 'other', pluginData: owner };
    });
    onLoad({ filter: /./, namespace: 'other' }, ({ path: file, pluginData: owner }) => {
      asked.get(owner).add(file);
      return { contents: `module.exports = require('./${owner}.js')['${file}']();` };
    });
    onResolve({ filter: /^\.\/[a-z]+\.js$/, namespace: 'other' }, ({ path: file }) => ({ path: file, external: true }));
  };
  return { name: 'sharing', setup };
}

/** A part holds what no part before it has; it asks later ones only for what they begin with. */
function isOther(owner, part, kind) {
  const order = Object.keys(PARTS);
  return part === 'main' || order.indexOf(owner) < order.indexOf(part) || kind === 'dynamic-import';
}

/** A module that is loaded later and that no part names stands with the rest. */
function isLater({ path: file, external }, part, kind) {
  return (
    kind === 'dynamic-import' &&
    !external &&
    ['lading', 'transfer'].includes(part) &&
    !partOf.has(file) &&
    !ownerOf(file)
  );
}

function ownerOf(file) {
  return Object.keys(PARTS).find((part) => PARTS[part].some((name) => path.resolve(moduleOf(name)) === file));
}

/** Writes the version of the package into the code that asks for it, so that a start reads no file for it. */
function versioned() {
  const asking = "createRequire(import.meta.url)('#package')";
  const setup = ({ onLoad }) =>
    onLoad({ filter: /dist.(?:cli|server).*\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      return source.includes(asking) ? { contents: source.replaceAll(asking, JSON.stringify({ version })) } : undefined;
    });
  return { name: 'versioned', setup };
}

/** The license texts of the packages in the bundle. The licenses require that they are passed on. */
async function licensesOf(inputs) {
  const folders = new Set(
    inputs.flatMap((file) => /^(?!other:)(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []),
  );
  const texts = [...folders].map(async (folder) => {
    const name = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
    if (name === undefined) throw new Error(`${folder} has no license file`);
    return `${folder.replace(/^.*node_modules\//, '')}\n\n${await readFile(path.join(folder, name), 'utf8')}`;
  });
  return (await Promise.all(texts)).join('\n----\n\n');
}
