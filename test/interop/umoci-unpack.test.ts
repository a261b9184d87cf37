import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { specialCalls } from '../../src/files/special-calls.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { unpackImage } from '../../src/unpack/unpack-image.js';
import { requireTool, runCommand } from '../fixtures/command.js';
import { listFolder } from '../fixtures/folder-listing.js';
import { LAYER_SETS } from '../fixtures/layer-sets.js';
import { ODD_LAYERS } from '../fixtures/odd-layers.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { IMAGE, storeWith } from '../fixtures/unpacking.js';

/** Where umoci 0.4.7 and Lading differ on purpose, each by a rule of docs/unpack.md. */
const DIFFERENT: Readonly<Record<string, string>> = {
  P7: 'umoci refuses a directory in the place of a file of a lower layer; later versions make it',
  H7: 'umoci refuses a link to itself',
};

test('makes the same trees as umoci', async (t) => {
  if (!requireTool(t, 'umoci')) return;
  if (process.geteuid?.() !== 0) return t.skip('needs root');
  if (specialCalls() === undefined) return t.skip('needs native calls, for devices and extended attributes');
  const differing: string[] = [];
  for (const { id, layers, result } of [...LAYER_SETS, ...ODD_LAYERS]) {
    if (result === undefined) continue;
    const folder = await temporaryFolder(t);
    const store = await OciLayoutStore.open(path.join(folder, 'store'));
    await storeWith(layers, {}, store);
    const [own, other] = [path.join(folder, 'own'), path.join(folder, 'other')];
    await unpackImage(store, IMAGE, own, { platform: 'linux/amd64' });
    const { status } = await runCommand('umoci', ['raw', 'unpack', '--image', `${store.directory}:${IMAGE}`, other]);
    const found = status === 0 ? shown(await listFolder(other)) : [];
    if (JSON.stringify(found) !== JSON.stringify(shown(await listFolder(own)))) {
      differing.push(id);
    }
  }
  assert.deepEqual(differing, Object.keys(DIFFERENT));
});

/** Without the times of directories, which umoci changes while it makes their content, and without the root. */
function shown(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !line.startsWith('. '))
    .map((line) => (/ 5 /.test(line) ? line.replace(/@\S+/, '') : line));
}
