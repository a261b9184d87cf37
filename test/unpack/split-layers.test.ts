import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as property, asyncProperty, constantFrom, nat, uniqueArray } from 'fast-check';
import { IS_ALL } from '../fixtures/extent.js';
import { LAYER_SETS } from '../fixtures/layer-sets.js';
import { flatListing, flatOf } from '../fixtures/unpacking.js';

const RUNS = IS_ALL ? 300 : 40;

/** Entries of one layer, parents before children, each name once. */
const ENTRIES = uniqueArray(
  array(constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
  { minLength: 2, maxLength: 20 },
).map((paths) => {
  const all = new Set(paths.flatMap((path) => path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))));
  const isParent = (path: string): boolean => [...all].some((other) => other.startsWith(`${path}/`));
  return [...all].toSorted().map((path, at) => (isParent(path) ? `${path}/{07${at % 8}5}` : kindOf(path, at)));
});

/** Files, symlinks that lead nowhere, fifos and devices. */
function kindOf(path: string, at: number): string {
  return [`${path}=${at}{u${at}}`, `${path}→nowhere`, `p:${path}{@${at}}`, `c:${path}{1:${at}}`][at % 4] ?? path;
}

/** The entries as layers, cut at these places. */
function cut(entries: readonly string[], places: readonly number[]): readonly string[] {
  const ends = [...new Set(places.map((place) => place % entries.length)), entries.length].toSorted((a, b) => a - b);
  return ends.map((end, at) => entries.slice(ends[at - 1] ?? 0, end).join(' '));
}

test('a tree that is split over layers at any places is the same tree', async () => {
  await property(
    asyncProperty(ENTRIES, array(nat(100), { maxLength: 5 }), async (entries, places) => {
      const whole = flatListing(await flatOf([entries.join(' ')]));
      assert.deepEqual(flatListing(await flatOf(cut(entries, places))), whole);
    }),
    { seed: 15, numRuns: RUNS },
  );
});

test('a layer without markers and names that come back may be cut anywhere, also in the sets of the specification', async () => {
  for (const { layers, result } of LAYER_SETS) {
    const [only = '', ...others] = layers;
    const entries = only.split(' ');
    if (result === undefined || others.length > 0 || only.includes('.wh.')) continue;
    const whole = flatListing(await flatOf([only]));
    for (let at = 1; at < entries.length; at += 1) {
      assert.deepEqual(flatListing(await flatOf(cut(entries, [at]))), whole, only);
    }
  }
});
