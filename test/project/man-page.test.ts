import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { requireTool, runCommand } from '../fixtures/command.js';
import { projectRoot } from '../fixtures/tables.js';

const PAGE = path.join(projectRoot(), 'dist', 'man', 'lading.1');

/** The command and all that stand below it. */
function all(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(all)];
}

test('the manual page names every command and every option', async () => {
  // The built one, beside its package.json.
  const { program } = (await import(path.join(projectRoot(), 'dist', 'cli', 'program.js'))) as {
    readonly program: () => Command;
  };
  const text = readFileSync(PAGE, 'utf8').replaceAll('\\-', '-');
  for (const command of all(program())) {
    assert.ok(text.includes(command.name()), command.name());
    for (const { long } of command.options) assert.ok(text.includes(String(long)), `${command.name()} ${long}`);
  }
});

test('the manual page has the exit statuses and the examples', () => {
  const text = readFileSync(PAGE, 'utf8');
  for (const part of ['\n.TP\n141\n', 'lading save example/app:1 | ssh host lading load'])
    assert.ok(text.includes(part));
  assert.doesNotMatch(text, /\]\(/, 'a link of Markdown');
});

test('mandoc has nothing to say about the manual page', async (t) => {
  if (!requireTool(t, 'mandoc')) return;
  const { stdout, stderr } = await runCommand('mandoc', ['-T', 'lint', PAGE]);
  // The date is that of the newest version in the changelog, and the first one is not out yet.
  const said = (stdout + stderr).split('\n').filter((line) => line !== '' && !line.includes('missing date'));
  assert.deepEqual(said, []);
});
