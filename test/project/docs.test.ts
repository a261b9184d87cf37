import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES, WARNING_CODES } from '../../src/index.js';
import { projectRoot } from '../fixtures/tables.js';

/** The first two cells of each row of `docs/errors.md` whose first cell starts with the prefix. */
function documented(prefix: string): [string, string][] {
  const text = readFileSync(path.join(projectRoot(), 'docs', 'errors.md'), 'utf8');
  const rows = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.filter(([, code = '']) => code.startsWith(prefix)).map(([, code = '', second = '']) => [code, second]);
}

test('docs/errors.md lists every error code with its category, and no other', () => {
  assert.deepEqual(Object.fromEntries(documented('ERR_')), ERROR_CODES);
});

test('docs/errors.md lists every warning code, and no other', () => {
  assert.deepEqual(
    documented('WARN_')
      .map(([code]) => code)
      .sort(),
    [...WARNING_CODES].sort(),
  );
});

test('docs/api.md equals the output of npm run docs:api, with whole sentences', () => {
  const script = path.join('scripts', 'api-docs.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { cwd: projectRoot(), encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
});

/** Every page of the project, by its path. */
function pages(): readonly string[] {
  const top = readdirSync(projectRoot()).filter((file) => file.endsWith('.md'));
  const below = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(path.join(projectRoot(), folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => path.join(folder, file)),
  );
  return [...top, ...below];
}

/** The anchor that GitHub makes for a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

test('every link between the pages leads to a file and a heading that exist', () => {
  const broken = pages().flatMap((page) => {
    const text = readFileSync(path.join(projectRoot(), page), 'utf8');
    return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
      .filter(([, to = '', anchor]) => {
        const target = to === '' ? page : path.join(path.dirname(page), to);
        const file = path.join(projectRoot(), target);
        if (!existsSync(file)) return true;
        const headings = [...(anchor === undefined ? '' : readFileSync(file, 'utf8')).matchAll(/^#+ (.*)$/gm)];
        return anchor !== undefined && !headings.some(([, heading = '']) => anchorOf(heading) === anchor);
      })
      .map(([link]) => `${page}: ${link}`);
  });
  assert.deepEqual(broken, []);
});

test('docs/README.md names every page in docs/', () => {
  const map = readFileSync(path.join(projectRoot(), 'docs', 'README.md'), 'utf8');
  const missing = pages().filter((page) => {
    const [top, ...rest] = page.split(path.sep);
    return top === 'docs' && page !== path.join('docs', 'README.md') && !map.includes(`(${rest.join('/')})`);
  });
  assert.deepEqual(missing, []);
});

/** What `lading ... --help` prints. */
function helpOf(...args: readonly string[]): string {
  const command = path.join(projectRoot(), 'dist', 'bin', 'main.js');
  return spawnSync(process.execPath, [command, ...args, '--help'], { encoding: 'utf8' }).stdout;
}

test('docs/command.md, docs/engine-api.md and docs/registries.md have every option of the command', () => {
  const commands = [...helpOf().matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name = '']) => name);
  assert.ok(commands.includes('load') && commands.includes('serve'), commands.join(' '));
  const pages = ['command.md', 'engine-api.md', 'registries.md'].map((page) =>
    readFileSync(path.join(projectRoot(), 'docs', page), 'utf8'),
  );
  for (const name of commands) {
    const options = [...helpOf(name).matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option = '']) => option);
    assert.ok(options.includes('--store'), name);
    const missing = options.filter((option) => option !== '--help' && !pages.some((page) => page.includes(option)));
    assert.deepEqual([name, missing], [name, []]);
  }
});
