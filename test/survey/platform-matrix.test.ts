import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removeImages } from '../../src/edit/remove-images.js';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import type { Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { closureOf } from '../fixtures/blob-set.js';
import { example, FAMILIAR, PLATFORMS, sorted } from '../fixtures/example.js';
import { load, loadLayout } from '../fixtures/loading.js';
import { save } from '../fixtures/saved-archive.js';
import { stateOf, temporaryFolder } from '../fixtures/stores.js';

/*
 * Pulled × saved × loaded: each for every subset of the platforms, where the empty one means no list.
 * The oracle knows sets only.
 */

const SUBSETS = PLATFORMS.reduce<readonly (readonly string[])[]>(
  (subsets, platform) => [...subsets, ...subsets.map((subset) => [...subset, platform])],
  [[]],
);

interface Case {
  readonly pulled: readonly string[];
  readonly saved: readonly string[];
  readonly loaded: readonly string[];
}

type Outcome =
  | { readonly at: 'save' | 'load'; readonly code: string }
  | { readonly root: string; readonly states: Readonly<Record<string, string>> };

const CASES: readonly Case[] = SUBSETS.flatMap((pulled) =>
  SUBSETS.flatMap((saved) => SUBSETS.map((loaded) => ({ pulled, saved, loaded }))),
);

function oracle({ pulled, saved, loaded }: Case): Outcome {
  const here = pulled.length === 0 ? PLATFORMS : pulled;
  if (!saved.every((platform) => here.includes(platform))) return { at: 'save', code: 'ERR_PLATFORM_UNAVAILABLE' };
  const packed = saved.length === 0 ? here : saved;
  if (!loaded.every((platform) => packed.includes(platform))) return { at: 'load', code: 'ERR_PLATFORM_UNAVAILABLE' };
  const present = loaded.length === 0 ? packed : loaded;
  const [only, ...more] = saved;
  const root = only !== undefined && more.length === 0 ? only : 'index';
  const listed = root === 'index' ? PLATFORMS : [root];
  return {
    root,
    states: Object.fromEntries(listed.map((one) => [one, present.includes(one) ? 'complete' : 'missing'])),
  };
}

const image = example({ sharedLayer: true, layers: 1, layerBytes: 200 });

type Archive = Buffer | { readonly code: string };

async function saveOrCode(store: Store, platforms: readonly string[]): Promise<Archive> {
  try {
    return (await save(store, [FAMILIAR], { platforms })).archive;
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

async function loadOrCode(store: Store, archive: Archive, platforms: readonly string[]): Promise<Outcome> {
  if (!Buffer.isBuffer(archive)) return { at: 'save', code: archive.code };
  try {
    await load(store, archive, { platforms });
  } catch (error) {
    assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
    return { at: 'load', code: (error as { code: string }).code };
  }
  return await seenIn(store);
}

async function seenIn(store: Store): Promise<Outcome> {
  const [inspected] = await inspectImages(store, FAMILIAR);
  assert.ok(inspected);
  const names = new Map<Digest, string>([...image.manifests].map(([platform, { digest }]) => [digest, platform]));
  const states = Object.fromEntries(inspected.platforms.map(({ platform, state }) => [platform, state]));
  return { root: names.get(inspected.digest) ?? 'index', states };
}

async function check(store: Store, archive: Archive, one: Case): Promise<void> {
  const outcome = await loadOrCode(store, archive, one.loaded);
  assert.deepEqual(outcome, oracle(one), JSON.stringify(one));
  if ('root' in outcome) assert.deepEqual((await stateOf(store)).blobs, expectedBlobs(outcome), JSON.stringify(one));
}

/** The root document, and all of each complete platform: nothing else may be in the store. */
function expectedBlobs(outcome: Extract<Outcome, { root: string }>): readonly Digest[] {
  const complete = PLATFORMS.filter((platform) => outcome.states[platform] === 'complete');
  const parts = complete.flatMap((platform) => closureOf(image.blobs, image.of(platform)));
  return outcome.root === 'index' ? sorted(image.root.digest, parts) : sorted(parts);
}

test(`does what sets predict in ${SUBSETS.length ** 3} cases of pulled, saved and loaded (memory store)`, async () => {
  for (const pulled of SUBSETS) {
    const store = new MemoryStore();
    await loadLayout(store, image.images, image.blobs, { platforms: pulled });
    for (const saved of SUBSETS) {
      const archive = await saveOrCode(store, saved);
      for (const loaded of SUBSETS) await check(new MemoryStore(), archive, { pulled, saved, loaded });
    }
  }
});

test('does the same if one store is emptied and loaded again (layout store)', async (t) => {
  // Every 31st case: 31 shares no factor with the eight subsets, so each of the three parts takes all of them.
  for (const one of CASES.filter((_, at) => at % 31 === 0)) {
    const store = await OciLayoutStore.open(await temporaryFolder(t));
    await loadLayout(store, image.images, image.blobs, { platforms: one.pulled });
    const archive = await saveOrCode(store, one.saved);
    await removeImages(store, [FAMILIAR]);
    assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
    await check(store, archive, one);
  }
});
