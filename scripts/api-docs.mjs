import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';

/*
 * Writes docs/api.md: every exported name with the first sentence of its doc comment, grouped by task, with an example
 * for each task. `--check` writes nothing, and fails if the page is out of date. Run it from the project's
 * folder.
 */

const PAGE = 'docs/api.md';

/**
 * The sections of the page, one for each entry point of the package. A task takes the names whose declaration is in a
 * file that its pattern matches (a path under src/); a name goes to the first task that fits. `example` is a file of
 * examples/.
 */
const SECTIONS = [
  {
    entry: 'lading',
    index: 'src/index.ts',
    tasks: [
      { title: 'Load an archive', pattern: /^(load|archives)\/|^stages\/records/, example: 'load.ts' },
      { title: 'Save images', pattern: /^export\//, example: 'save.ts' },
      { title: 'List and inspect', pattern: /^(inspect|page)\/|tolerant-survey/, example: 'inspect.ts' },
      { title: 'Unpack an image', pattern: /^(unpack|tree)\//, example: 'unpack.ts' },
      { title: 'Tag and remove', pattern: /^edit\/(?!quarantine)/, example: 'edit.ts' },
      { title: 'Verify and repair', pattern: /^(verify|trust)\/|quarantine/, example: 'verify.ts' },
      { title: 'Open a store', pattern: /^(stores|content|files)\//, example: 'store.ts' },
      { title: 'Platforms', pattern: /^model\/platform|host-platform/, example: 'platforms.ts' },
      {
        title: 'Names, digests and documents',
        pattern: /^model\/(reference|digest|descriptor|image-)/,
        example: 'names.ts',
      },
      { title: 'Errors, warnings and limits', pattern: /^(model|survey)\//, example: 'errors.ts' },
    ],
  },
  {
    entry: 'lading/server',
    index: 'src/server/index.ts',
    tasks: [{ title: 'Serve the Engine API', pattern: /^(?:server|registry)\//, example: 'serve.ts' }],
  },
  {
    entry: 'lading/stages',
    index: 'src/stages/index.ts',
    tasks: [
      { title: 'Read an archive', pattern: /^stages\/(decompress|tar-guard|tar-extract)/, example: 'entries.ts' },
      { title: 'Select and store', pattern: /^stages\/(select|verify|commit)/ },
      { title: 'Walk, filter and pack', pattern: /^stages\/(walk|filter|list|dedupe|tar-pack)/, example: 'pack.ts' },
      { title: 'What passes between stages', pattern: /./ },
    ],
  },
  {
    entry: 'lading/stores',
    index: 'src/stores/index.ts',
    tasks: [
      { title: 'Stores', pattern: /^stores\/(layout|memory)/, example: 'blob.ts' },
      { title: 'Read documents', pattern: /^content\/read|documents/ },
      { title: 'Implement a store', pattern: /./ },
    ],
  },
];

const TYPE_NAME = /^[A-Z][a-z]/;

const source = (file) => readFileSync(file, 'utf8');

/** The names that a file exports from another file, each with that file. */
function reexports(file) {
  return [...source(file).matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gm)].flatMap(([, list, from]) => {
    const target = path.join(path.dirname(file), from.replace(/\.js$/, '.ts'));
    const names = list.split(',').map((name) => name.replace(/^\s*type /, '').trim());
    return names.filter((name) => name !== '').map((name) => ({ name, file: target }));
  });
}

/** Where a name is declared, with its doc comment as one line. Follows exports from file to file. */
function declarationOf({ name, file }) {
  const pattern = new RegExp(
    `(?:/\\*\\*((?:(?!\\*/)[^])*)\\*/\\n)?export (?:abstract |async )?(?:class|const|function\\*?|interface|type) ${name}\\b`,
  );
  const found = pattern.exec(source(file));
  if (found !== null) return { name, file: path.relative('src', file), comment: plain(found[1] ?? '') };
  const next = reexports(file).find((one) => one.name === name);
  if (next === undefined) throw new Error(`${file} does not declare ${name}`);
  return declarationOf(next);
}

function plain(comment) {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trim());
  return lines.join(' ').trim();
}

/** The first whole sentence: up to a full stop before a space or the end. Code in backticks may have stops. */
function firstSentence({ name, comment }) {
  if (comment === '') return '';
  const [sentence] = /^(?:`[^`]*`|[^`])*?[.!?](?=\s|$)/.exec(comment) ?? [];
  if (sentence === undefined) throw new Error(`the doc comment of ${name} has no whole sentence: ${comment}`);
  return sentence;
}

function lineOf(declaration) {
  const sentence = firstSentence(declaration);
  return sentence === '' ? `- \`${declaration.name}\`` : `- \`${declaration.name}\`: ${sentence}`;
}

/** The example as a user of the package would write it. */
function exampleOf(file) {
  const text = source(path.join('examples', file)).replaceAll(/from '\.\.\/src\/(\w+\/)?index\.js'/g, packageImport);
  return ['```ts', text.trimEnd(), '```', ''];
}

function packageImport(_, folder = '') {
  return `from '${path.posix.join('lading', folder).replace(/\/$/, '')}'`;
}

/** Functions and values first, then classes and types. */
function byKindThenName({ name: a }, { name: b }) {
  return Number(TYPE_NAME.test(a)) - Number(TYPE_NAME.test(b)) || (a < b ? -1 : 1);
}

function sectionOf({ entry, index, tasks }) {
  const declarations = reexports(index).map(declarationOf);
  const taken = new Map(tasks.map((task) => [task, []]));
  for (const declaration of declarations) {
    const task = tasks.find(({ pattern }) => pattern.test(declaration.file));
    if (task === undefined)
      throw new Error(`no task in scripts/api-docs.mjs takes ${declaration.name}, ${declaration.file}`);
    taken.get(task).push(declaration);
  }
  const parts = [...taken].filter(([, list]) => list.length > 0);
  return [
    `## \`${entry}\``,
    '',
    ...parts.flatMap(([{ title, example }, list]) => [
      `### ${title}`,
      '',
      ...(example === undefined ? [] : exampleOf(example)),
      ...list.toSorted(byKindThenName).map(lineOf),
      '',
    ]),
  ];
}

const page = [
  '# API',
  '',
  'Every exported name, grouped by task. `npm run docs:api` makes this page from the doc comments in `src/` and the files in',
  '[examples/](../examples); each name has the first sentence of its comment. The declarations in `dist/types` have the rest:',
  'fields, units, errors. [library.md](library.md) explains how the parts work together.',
  '',
  ...SECTIONS.flatMap(sectionOf),
].join('\n');
const text = await format(page, { ...(await resolveConfig(PAGE)), filepath: PAGE });

if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, text);
} else if (source(PAGE) !== text) {
  console.error(`${PAGE} is not up to date: run npm run docs:api`);
  process.exitCode = 1;
}
