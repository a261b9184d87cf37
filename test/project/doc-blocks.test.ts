import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { HELP_EXAMPLES } from '../../src/cli/help-examples.js';
import { runCommand } from '../fixtures/command.js';
import { projectRoot } from '../fixtures/tables.js';
import { docBlocks, type DocBlock } from './doc-blocks.js';
import { home } from './doc-home.js';

/* What the pages show runs as it stands there, in a folder that has what it names. */

/** `npm test` runs those of the README; `test:all` those of every page. */
const isLong = process.env['LADING_TESTS'] === 'all';

const BLOCKS = docBlocks();

function chosen(language: string): readonly DocBlock[] {
  return BLOCKS.filter((block) => block.language === language && block.skip === undefined);
}

test('blocks that are not run say why, and there are few of them', (t) => {
  const skipped = BLOCKS.filter(({ skip }) => skip !== undefined);
  for (const { place, skip } of skipped) t.diagnostic(`${place}: ${skip}`);
  assert.ok(chosen('sh').length > 6 && chosen('ts').length > 10, 'the pages have blocks');
  assert.ok(skipped.length <= 12, String(skipped.length));
});

for (const block of chosen('sh').filter(({ place }) => isLong || place.startsWith('README.md'))) {
  test(`${block.place} runs`, async (t) => {
    const { run } = await home(t);
    const { status, stderr } = await run('bash', ['-eo', 'pipefail', '-c', block.text]);
    assert.equal(status, 0, stderr);
  });
}

/** Those that need a registry or a server. */
const ELSEWHERE = /docker:\/\/|^lading (?:pull|push|serve)|DOCKER_HOST|--from-file list\.txt --jobs/;

test('the examples in the help of each command run', { skip: isLong ? false : 'only in test:all' }, async (t) => {
  const { run } = await home(t);
  for (const [command, lines] of Object.entries(HELP_EXAMPLES)) {
    const { stdout } = await run('lading', [command, '--help']);
    assert.ok(stdout.startsWith(`Examples:\n  ${lines[0]}\n`), command);
  }
  // What removes images comes last.
  const removing = /^lading (?:rm|prune)/;
  const lines = Object.values(HELP_EXAMPLES).flat();
  const ordered = [...lines.filter((line) => !removing.test(line)), ...lines.filter((line) => removing.test(line))];
  for (const line of ordered.filter((one) => !ELSEWHERE.test(one))) {
    const { status, stderr } = await run('bash', ['-eo', 'pipefail', '-c', line]);
    assert.equal(status, 0, `${line}: ${stderr}`);
  }
});

test('each block of TypeScript fits the types of the package, and those without exports run', async (t) => {
  const { folder, archive, run } = await home(t);
  const modules = path.join(folder, 'node_modules');
  await mkdir(modules);
  await symlink(projectRoot(), path.join(modules, 'lading'));
  await symlink(path.join(projectRoot(), 'node_modules', '@types'), path.join(modules, '@types'));
  await symlink(path.join(projectRoot(), 'node_modules', 'undici-types'), path.join(modules, 'undici-types'));
  const blocks = chosen('ts');
  for (const [at, { text }] of blocks.entries()) await writeFile(path.join(folder, `block-${at}.ts`), text);
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
  const compilerOptions = { module: 'nodenext', target: 'es2023', strict: true, types: ['node'], rootDir: '.' };
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['block-*.ts'] }));
  const tsc = path.join(projectRoot(), 'node_modules', '.bin', 'tsc');
  const { status, stdout } = await run(process.execPath, [await entryOf(tsc), '-p', folder]);
  const places = blocks.map(({ place }, at) => `block-${at}.ts is ${place}`).join('\n');
  assert.equal(status, 0, `${stdout}\n${places}`);
  for (const [at, { text, place }] of blocks.entries()) {
    if (/^export /m.test(text)) continue;
    const result = await run(process.execPath, [`block-${at}.js`], archive);
    assert.equal(result.status, 0, `${place}: ${result.stderr}`);
  }
});

/** The script behind a link in `.bin`. */
async function entryOf(link: string): Promise<string> {
  const { stdout } = await runCommand('readlink', ['-f', link]);
  return stdout.trim();
}

test('each block of JSON is JSON, whole or line by line', () => {
  for (const { place, text } of chosen('json')) {
    const documents = text.startsWith('{\n') ? [text] : text.trimEnd().split('\n');
    for (const document of documents) assert.doesNotThrow(() => JSON.parse(document), place);
  }
});
