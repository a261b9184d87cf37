import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { exportImages } from '../../src/export/export-images.js';
import { specialCalls } from '../../src/files/special-calls.js';
import { unpackImage } from '../../src/unpack/unpack-image.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { LAYER_SETS } from '../fixtures/layer-sets.js';
import { ODD_LAYERS } from '../fixtures/odd-layers.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { allOf, IMAGE, storeWith } from '../fixtures/unpacking.js';
import { requireContainerd, startContainerd, type Containerd } from './containerd.js';

const BEHIND = 'refuses a marker behind an entry of its name';
const LOWER_LINK = 'refuses a hard link to a file of a lower layer';
const FOLLOWS = 'puts a directory in the place of a link of a lower layer';
const NO_FILE = 'lists a marker in a directory without anything to hide, as a name that is none';

/** Where containerd 1.6 with overlayfs and Lading differ on purpose, each by a rule of docs/unpack.md. */
const DIFFERENT: Readonly<Record<string, string>> = {
  W3: BEHIND,
  W5: BEHIND,
  W6: 'shows the old content of a directory that its layer removes and makes anew',
  W8: NO_FILE,
  O4: 'takes no opaque marker at the root',
  H3: LOWER_LINK,
  H6: 'gives a file the metadata of its last hard link',
  H7: 'refuses a link to itself',
  S1: FOLLOWS,
  S6: FOLLOWS,
  D2: 'takes a device 0:0 for a whiteout',
  'a whiteout above, and files below it': 'refuses files below what their layer removes, without an entry for it',
  'an opaque marker beside a whiteout': NO_FILE,
  'a hard link whose target is replaced later': LOWER_LINK,
  'a hard link whose target is whited out later': LOWER_LINK,
  'a hard link in the place of what its layer whites out': LOWER_LINK,
  'a hard link in the place of a directory': LOWER_LINK,
  'an opaque marker behind a symlink': FOLLOWS,
  'a name through an absolute symlink': FOLLOWS,
};

test('makes the same trees as containerd, whose layers an overlay file system joins', async (t) => {
  if (!requireContainerd(t)) return;
  if (specialCalls() === undefined) return t.skip('needs native calls, for devices and extended attributes');
  const containerd = await startContainerd(t, { overlay: true });
  const folder = await temporaryFolder(t);
  const differing: string[] = [];
  for (const [at, { id, layers, result }] of [...LAYER_SETS, ...ODD_LAYERS].entries()) {
    if (result === undefined) continue;
    const store = await storeWith(layers);
    const [own, other, archive] = ['own', 'other', 'tar'].map((name) => path.join(folder, `${at}.${name}`)) as [
      string,
      string,
      string,
    ];
    await unpackImage(store, IMAGE, own, { platform: 'linux/amd64' });
    await writeFile(archive, await allOf(exportImages(store, [IMAGE])));
    await mkdir(other);
    const found = await mounted(containerd, archive, other);
    if (JSON.stringify(found) !== JSON.stringify(shown(await listFolder(own)))) {
      differing.push(id);
    }
  }
  assert.deepEqual(differing, Object.keys(DIFFERENT));
});

/** The tree that containerd makes of the image; nothing if it refuses to. */
async function mounted(containerd: Containerd, archive: string, at: string): Promise<readonly string[]> {
  await containerd.ctr('images', 'import', '--no-unpack', archive);
  try {
    await containerd.ctr('images', 'mount', '--platform', 'linux/amd64', IMAGE, at);
  } catch {
    return ['refused'];
  } finally {
    await containerd.ctr('images', 'rm', IMAGE);
  }
  try {
    return shown(await listFolder(at));
  } catch {
    // An overlay file system shows a marker in a directory that no lower layer has, and then has no such file.
    return ['a name that is none'];
  } finally {
    await containerd.ctr('images', 'unmount', '--rm', at);
  }
}

/** Without the times of directories, which containerd changes while it makes their content, and without the root. */
function shown(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !line.startsWith('. '))
    .map((line) => (/ 5 /.test(line) ? line.replace(/@\S+/, '') : line));
}
