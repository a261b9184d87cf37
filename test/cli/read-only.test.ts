import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { jsonOf, workspace, type PrintedError, type Workspace } from '../fixtures/cli-workspace.js';
import { output, type CommandResult } from '../fixtures/command.js';
import { FAMILIAR } from '../fixtures/example.js';
import { sampleOf } from '../fixtures/extent.js';
import { asNobody } from '../fixtures/other-user.js';
import { whileReadOnly } from '../fixtures/small-disk.js';

type Run = (args: readonly string[]) => Promise<CommandResult>;

const READING = sampleOf<readonly string[]>(
  [
    ['images'],
    ['images', '--json'],
    ['inspect', FAMILIAR],
    ['save', FAMILIAR],
    ['save', '--platform', 'linux/arm64', FAMILIAR],
    ['verify'],
    ['prune', '--dry-run', '--grace', '0'],
  ],
  4,
  'reading commands',
);

const writing = ({ archive }: Workspace): readonly (readonly string[])[] => [
  ['load', '-i', archive],
  ['tag', FAMILIAR, 'example/app:2'],
  ['rm', FAMILIAR],
  ['prune'],
];

/** Everything in a store: names, modes, times and content. */
async function contentsOf(store: string): Promise<string> {
  const names = (await readdir(store, { recursive: true })).toSorted();
  const listed = await output('ls', ['-lAR', '--full-time', store]);
  const index = await readFile(path.join(store, 'index.json'), 'utf8');
  return [...names, listed, index].join('\n');
}

/** What every reading command prints. */
async function allRead(run: Run): Promise<readonly Buffer[]> {
  const outputs: Buffer[] = [];
  for (const args of READING) {
    const result = await run(args);
    assert.deepEqual([args, result.status, result.stderr], [args, 0, '']);
    outputs.push(result.output);
  }
  return outputs;
}

async function writesNothing(run: Run, commands: readonly (readonly string[])[], code: string): Promise<void> {
  for (const args of commands) {
    const { status, stderr } = await run([...args, '--json']);
    assert.deepEqual([args[0], status, jsonOf<PrintedError>(stderr).error.code], [args[0], 8, code]);
  }
}

test('reads all of a store on a read-only medium, and refuses to write to it', async (t) => {
  const space = await workspace(t, { loaded: true });
  const expected = await allRead(space.run);
  const contents = await contentsOf(space.store);
  await whileReadOnly(t, space.store, async () => {
    assert.deepEqual(await allRead(space.run), expected);
    await writesNothing(space.run, writing(space), 'ERR_STORE_READONLY');
  });
  assert.equal(await contentsOf(space.store), contents);
});

test('reads all of a store that another user lets it read, and refuses to write to it', async (t) => {
  const space = await workspace(t, { loaded: true });
  const nobody = await asNobody(t, space.folder, { owned: false });
  if (nobody === undefined) return;
  await output('chmod', ['-R', 'a+rX', space.store]);
  const run: Run = async (args) => await nobody([...args, '--store', space.store]);
  const expected = await allRead(space.run);
  const contents = await contentsOf(space.store);
  assert.deepEqual(await allRead(run), expected);
  await writesNothing(run, writing(space), 'ERR_STORE_UNSAFE');
  assert.equal(await contentsOf(space.store), contents);
});

test('reads the whole store of another user if it may read everything, and leaves no lease there', async (t) => {
  const space = await workspace(t, { loaded: true });
  const nobody = await asNobody(t, space.folder);
  if (nobody === undefined) return;
  const expected = await allRead(async (args) => await nobody([...args, '--store', space.store]));
  const contents = await contentsOf(space.store);
  assert.deepEqual(await allRead(space.run), expected);
  await writesNothing(space.run, writing(space), 'ERR_STORE_UNSAFE');
  assert.equal((await nobody(['verify', '--store', space.store])).status, 0);
  assert.equal(await contentsOf(space.store), contents);
});

test('does not take a store that it may not read for an empty one', async (t) => {
  const space = await workspace(t, { loaded: true });
  const nobody = await asNobody(t, space.folder, { owned: false });
  if (nobody === undefined) return;
  const run: Run = async (args) => await nobody([...args, '--store', space.store]);
  await writesNothing(run, READING, 'ERR_STORAGE_IO');
  await output('chmod', ['a+rx', space.store]);
  await writesNothing(run, READING, 'ERR_STORAGE_IO');
});

test('refuses a store of a newer format, for reading and for writing, and changes nothing', async (t) => {
  const space = await workspace(t, { loaded: true });
  for (const version of sampleOf(['2\n', '10', '', 'x\n'], 1, 'versions')) {
    await writeFile(path.join(space.store, '.lading', 'version'), version);
    const contents = await contentsOf(space.store);
    await writesNothing(space.run, [...READING, ...writing(space)], 'ERR_STORE_VERSION');
    assert.equal(await contentsOf(space.store), contents);
  }
});
