import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { requireTool, runCommand } from '../fixtures/command.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { expectedListing, LAYER_SETS } from '../fixtures/layer-sets.js';
import { ODD_LAYERS } from '../fixtures/odd-layers.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { flatOf } from '../fixtures/unpacking.js';

const PYTHON = 'import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(sys.argv[1])';

/** How each program unpacks a tar on stdin into a folder. */
const READERS: readonly { tool: string; args: (folder: string) => string[] }[] = [
  { tool: 'tar', args: (folder) => ['-x', '-p', '--xattrs', '--xattrs-include=*', '-C', folder] },
  { tool: 'bsdtar', args: (folder) => ['-x', '-p', '-f', '-', '-C', folder] },
  { tool: 'busybox', args: (folder) => ['tar', '-x', '-p', '-f', '-', '-C', folder] },
  { tool: 'python3', args: (folder) => ['-c', PYTHON, folder] },
];

/** A line as far as the program keeps it: two leave the times of symlinks alone, and busybox the folder itself. */
function shownBy(tool: string, line: string): readonly string[] {
  if (tool === 'busybox' && line.startsWith('. ')) return [];
  return [['python3', 'busybox'].includes(tool) && / 2→/.test(line) ? line.replace(/@.*/, '') : line];
}

for (const { tool, args } of READERS) {
  test(`${tool} unpacks flat tars to the tree that the layers mean`, async (t) => {
    if (!requireTool(t, tool)) return;
    if (process.getuid?.() !== 0) return t.skip('needs root');
    for (const { id, layers, result } of [...LAYER_SETS, ...ODD_LAYERS]) {
      // bsdtar joins letters and accents of names in UTF-8.
      if (tool === 'bsdtar' && id.includes('normalization')) continue;
      // Only GNU tar and bsdtar know extended attributes.
      if (result === undefined || (id === 'P12' && ['busybox', 'python3'].includes(tool))) continue;
      const folder = path.join(await temporaryFolder(t), 'rootfs');
      await mkdir(folder);
      const { status, stderr } = await runCommand(tool, args(folder), {
        input: await flatOf(layers),
        env: { LC_ALL: 'C.UTF-8' },
      });
      assert.equal(status, 0, `${id}: ${stderr}`);
      const shown = (lines: readonly string[]): readonly string[] => lines.flatMap((line) => shownBy(tool, line));
      assert.deepEqual(shown(await listFolder(folder)), shown(expectedListing(result)), id);
    }
  });
}

test('a reader sees nothing of the host through a link', async (t) => {
  if (!requireTool(t, 'tar')) return;
  const folder = await temporaryFolder(t);
  const [inside, canary] = [path.join(folder, 'in'), path.join(folder, 'canary')];
  await mkdir(inside);
  await mkdir(canary);
  const tar = await flatOf([`l→${canary} l/pwn=1`]);
  const { status, stderr } = await runCommand('tar', ['-x', '-C', inside], { input: tar });
  assert.equal(status, 0, stderr);
  assert.deepEqual(await readdir(canary), []);
});
