import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { flipBit } from '../fixtures/damage.js';
import { projectRoot } from '../fixtures/tables.js';
import { home } from './doc-home.js';

const WORKFLOW = readFileSync(path.join(projectRoot(), 'examples', 'github', 'images.yml'), 'utf8');
const NAME = 'registry.example/team/app:1';

/** The scripts of the steps, in their order, as GitHub Actions gives them to bash. */
function scripts(): readonly string[] {
  return [...WORKFLOW.matchAll(/^( +)(?:- )?run: (?:\|\n((?:\1  .*\n)+)|(.*)\n)/gm)].map(([, , block, line]) =>
    (block ?? line ?? '').replaceAll(/^ +/gm, ''),
  );
}

test('the steps of the workflow bring an image from one job to the next', async (t) => {
  // `shell: bash` of a workflow is `bash --noprofile --norc -eo pipefail`.
  assert.match(WORKFLOW, /^defaults:\n {2}run:\n {4}shell: bash$/m);
  const { folder, run } = await home(t);
  const step = async (script: string) => await run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script]);
  const [install = '', pull = '', save = '', again, load = '', ...more] = scripts();
  assert.deepEqual([install, again, more], ['npm install --global lading', install, []]);
  assert.match(pull, /^lading pull --platform linux\/amd64,linux\/arm64 /);
  // No such registry is here: its image is there under another name.
  assert.equal((await run('lading', ['tag', 'example/app:1', NAME])).status, 0);
  for (const script of [install, save, load]) {
    const { status, stderr } = await step(script);
    assert.equal(status, 0, `${script}: ${stderr}`);
  }
  const docker = await run('lading', ['images', '--json', '--store', path.join(folder, 'docker')]);
  assert.ok(docker.stdout.includes(NAME), docker.stdout);

  await flipBit(path.join(folder, 'app.tar'));
  assert.notEqual((await step(save.replace(/^lading save .*\n/, ''))).status, 0);
});
