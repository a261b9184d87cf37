import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { LinkFields } from '../fixtures/blob-set.js';
import { requireTool } from '../fixtures/command.js';
import { load } from '../fixtures/loading.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { familyArchive, type FamilyArchive } from './archive-family.js';
import { requireContainerd, startContainerd } from './containerd.js';
import {
  configBySkopeo,
  readWithContainerd,
  readWithLading,
  rootBySkopeo,
  summaryOf,
  type View,
} from './other-readers.js';
import { temporaryFolder } from './workspace.js';

/** `LADING_DIFFERENTIAL=200` compares a larger family. */
const COUNT = Number(process.env['LADING_DIFFERENTIAL'] ?? 12);
const SEEDS = Array.from({ length: COUNT }, (_, at) => at + 1);

async function written(t: TestContext, { bytes }: FamilyArchive): Promise<string> {
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  await writeFile(file, bytes);
  return file;
}

async function acceptedView({ bytes, what, references }: FamilyArchive): Promise<Exclude<View, string>> {
  const view = await readWithLading(bytes);
  assert.ok(typeof view !== 'string', `${what}: ${summaryOf(view)}`);
  assert.deepEqual(Object.keys(view).toSorted(), [...references.keys()].toSorted(), what);
  return view;
}

test(`containerd reads the same names, digests and platforms in ${COUNT} archives`, async (t) => {
  if (!requireContainerd(t)) return;
  const containerd = await startContainerd(t);
  let compared = 0;
  for (const seed of SEEDS) {
    const member = await familyArchive(seed);
    const expected = await acceptedView(member);
    if (member.isPacked) continue;
    const view = await readWithContainerd(containerd, await written(t, member), `n${seed}`);
    assert.deepEqual(view, expected, `seed ${seed}: ${member.what}`);
    compared += 1;
  }
  assert.ok(compared >= COUNT / 2);
});

test(`skopeo reads the same roots and configs in ${COUNT} archives`, async (t) => {
  if (!requireTool(t, 'skopeo')) return;
  let compared = 0;
  for (const seed of SEEDS) {
    const member = await familyArchive(seed);
    const file = await written(t, member);
    const store = new MemoryStore();
    await load(store, member.bytes);
    for (const { name = '', descriptor } of await store.list()) {
      const source = `${member.transport}:${file}:${member.references.get(name)}`;
      // In a layout skopeo finds no root with a media type of Docker (docs/differences.md).
      if (member.transport === 'oci-archive' && descriptor.mediaType.includes('docker')) continue;
      const where = `seed ${seed}: ${member.what}, ${name}`;
      // For a docker-archive skopeo makes another manifest, with the same config.
      if (member.transport === 'oci-archive') assert.equal(await rootBySkopeo(source), descriptor.digest, where);
      for (const [platform, config] of await configsOf(store, descriptor)) {
        assert.equal(await configBySkopeo(source, platform), config, `${where} for ${platform}`);
        compared += 1;
      }
    }
  }
  assert.ok(compared >= COUNT, `${compared} configs`);
});

/** The configs under a root by platform, without OS versions, since skopeo cannot select by them. */
async function configsOf(store: MemoryStore, root: Descriptor): Promise<Map<string, string>> {
  const { manifests = [], config } = await linksOf(store, root);
  if (config !== undefined) return new Map([[await platformOf(store, config), config.digest]]);
  const found = new Map<string, string>();
  for (const child of manifests.filter(({ platform }) => platform?.os !== 'unknown')) {
    for (const [platform, digest] of await configsOf(store, child)) found.set(platform, digest);
  }
  return found;
}

async function platformOf(store: MemoryStore, config: Descriptor): Promise<string> {
  const { os, architecture, variant } = (await linksOf(store, config)) as Record<string, string>;
  return [os, architecture, variant].filter(Boolean).join('/');
}

async function linksOf(store: MemoryStore, { digest }: Descriptor): Promise<LinkFields> {
  // The fixture has made this document.
  return JSON.parse((await bytesOf(store.open(digest))).toString('utf8')) as LinkFields;
}
