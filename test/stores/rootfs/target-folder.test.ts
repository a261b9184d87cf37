import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { TargetFolder } from '../../../src/stores/rootfs/target-folder.js';
import { Directory, IMPLIED } from '../../../src/tree/nodes.js';
import { whileReadOnly } from '../../fixtures/small-disk.js';
import { temporaryFolder } from '../../fixtures/stores.js';

const CAUSE = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });

async function folderIn(t: TestContext): Promise<{ place: string; target: string; folder: TargetFolder }> {
  const place = await temporaryFolder(t);
  const target = path.join(place, 'rootfs');
  return { place, target, folder: new TargetFolder(target, { bundle: false, sync: false }) };
}

async function oneTurn(): Promise<boolean> {
  await setImmediate();
  return false;
}

/** Directories that nobody can enter, already finished. */
function closedTree(root: string, count: number): readonly Directory[] {
  const top = new Directory('', undefined, { ...IMPLIED, mode: 0 });
  const all = Array.from({ length: count }, (_, at) => new Directory(`d${at}`, top, { ...IMPLIED, mode: 0 }));
  mkdirSync(root);
  for (const { name } of all) {
    mkdirSync(path.join(root, name));
    writeFileSync(path.join(root, name, 'x'), '');
    chmodSync(path.join(root, name), 0);
  }
  chmodSync(root, 0);
  return [top, ...all];
}

test('removes what was written, also behind directories that its owner cannot enter', async (t) => {
  const { place, target, folder } = await folderIn(t);
  const error = await folder.giveUp(CAUSE, closedTree(folder.rootfs, 5));
  assert.deepEqual([error.code, error.message.includes(target), error.cause], ['ERR_STORAGE_IO', true, CAUSE]);
  assert.deepEqual(await readdir(place), []);
});

test('gives other work its turn while it opens thousands of directories again', async (t) => {
  const { folder } = await folderIn(t);
  const directories = closedTree(folder.rootfs, 3000);
  let turns = 0;
  const work = folder.giveUp(CAUSE, directories);
  for (let isOver = false; !isOver; turns += 1) isOver = await Promise.race([work.then(() => true), oneTurn()]);
  assert.ok(turns >= 15, `${turns} turns`);
});

test('says where something is left that could not be removed', async (t) => {
  const { place, folder } = await folderIn(t);
  const directories = closedTree(folder.rootfs, 1);
  await whileReadOnly(t, place, async () => {
    const { code, message, details } = await folder.giveUp(CAUSE, directories);
    assert.deepEqual([code, message.includes('EIO'), details['left']], ['ERR_STORAGE_IO', true, folder.rootfs]);
    assert.ok(message.includes('remove it'), message);
  });
});

test('takes no name that another program took meanwhile', async (t) => {
  const { place, target, folder } = await folderIn(t);
  mkdirSync(folder.rootfs);
  mkdirSync(target);
  writeFileSync(path.join(target, 'x'), '');
  await assert.rejects(folder.publish(), { code: 'ERR_TARGET_EXISTS' });
  await folder.giveUp(CAUSE, []);
  assert.deepEqual(await readdir(place), ['rootfs']);
  assert.deepEqual(await readdir(target), ['x']);
});
