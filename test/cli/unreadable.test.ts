import assert from 'node:assert/strict';
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Digest } from '../../src/model/digest.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { jsonOf, workspace, type PrintedError, type Workspace } from '../fixtures/cli-workspace.js';
import { output, type CommandResult } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { asNobody, type RunAs } from '../fixtures/other-user.js';

const built = example();
const LAYER = built.blobs.links(built.of('linux/amd64').digest).layers?.[0]?.digest as Digest;

/** A store, an archive and a layout folder of a user without rights, one file or folder of which it cannot read. */
async function closed(
  t: TestContext,
  what: string,
): Promise<(Omit<Workspace, 'run'> & { readonly run: RunAs }) | undefined> {
  const space = await workspace(t, { loaded: true, built });
  const folder = space.at('layout');
  await mkdir(folder);
  await output('tar', ['-xf', space.archive, '-C', folder]);
  const run = await asNobody(t, space.folder);
  if (run !== undefined) await chmod(space.at(what), 0o000);
  return run === undefined ? undefined : { ...space, run };
}

/** What cannot be read, the command, and the path that its error names. */
const ARCHIVES: readonly (readonly [what: string, input: string])[] = [
  ['archive.tar', 'archive.tar'],
  ['layout', 'layout'],
  ['layout/index.json', 'layout'],
  ['layout/oci-layout', 'layout'],
  ['layout/blobs', 'layout'],
  ['layout/blobs/sha256', 'layout'],
  [`layout/${blobPath(built.root.digest)}`, 'layout'],
  [`layout/${blobPath(LAYER)}`, 'layout'],
];

for (const [what, input] of ARCHIVES) {
  test(`says that ${path.basename(what)} of ${input} cannot be read`, async (t) => {
    const space = await closed(t, what);
    if (space === undefined) return;
    const store = ['--json', '--store', space.at('fresh')];
    const commands = [
      ['load', '-i', space.at(input)],
      ['verify', '--archive', space.at(input)],
      ['images', '--archive', space.at(input)],
      ['inspect', '--archive', space.at(input)],
    ];
    for (const command of commands) {
      const result: CommandResult = await space.run([...command, ...store]);
      const { status, stderr } = result;
      const error: PrintedError['error'] = jsonOf<PrintedError>(stderr).error;
      assert.deepEqual([status, error.code], [8, 'ERR_STORAGE_IO'], `${command.join(' ')}: ${stderr}`);
      assert.match(error.message, /cannot (?:be )?read/);
      assert.doesNotMatch(error.message, /right|write/);
    }
    const { stdout } = await space.run(['images', '-q', '--store', space.at('fresh')]);
    assert.equal(stdout, '', 'nothing was loaded');
  });
}

const STORES: readonly (readonly [what: string, args: readonly string[]])[] = [
  ['store', ['images']],
  ['store', ['save', '-o', '/dev/null', FAMILIAR]],
  ['store/.lading/refs', ['images']],
  [`store/${blobPath(built.root.digest)}`, ['save', '-o', '/dev/null', FAMILIAR]],
  [`store/${blobPath(LAYER)}`, ['save', '-o', '/dev/null', FAMILIAR]],
];

for (const [what, args] of STORES) {
  test(`says that ${path.basename(what)} of the store cannot be read: ${args[0]}`, async (t) => {
    const space = await closed(t, what);
    if (space === undefined) return;
    const { status, stderr } = await space.run([...args, '--json', '--store', space.store]);
    const { error } = jsonOf<PrintedError>(stderr);
    assert.deepEqual([status, error.code], [8, 'ERR_STORAGE_IO'], stderr);
    assert.match(error.message, /cannot (?:be )?read/);
    assert.doesNotMatch(error.message, /right|write/);
  });
}
