import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flattenImage } from '../../src/unpack/flatten-image.js';
import type { UnpackReport } from '../../src/unpack/report-shapes.js';
import { expectedListing, LAYER_SETS } from '../fixtures/layer-sets.js';
import { ODD_LAYERS } from '../fixtures/odd-layers.js';
import { allOf, flatListing, IMAGE, storeWith } from '../fixtures/unpacking.js';

describe('the layer sets of the specification, and odd ones', () => {
  for (const { id, layers, result, warns } of [...LAYER_SETS, ...ODD_LAYERS]) {
    test(`${id}: ${layers.join(' | ')}`, async () => {
      const store = await storeWith(layers);
      const reports: UnpackReport[] = [];
      const onReport = (report: UnpackReport): void => void reports.push(report);
      const tar = allOf(flattenImage(store, IMAGE, { platform: 'linux/amd64', onReport }));
      if (result === undefined) return await assert.rejects(tar, { code: 'ERR_TAR_ENTRY' });
      assert.deepEqual(flatListing(await tar), expectedListing(result));
      const codes = reports.flatMap(({ warnings }) => warnings.map(({ code }) => code));
      assert.deepEqual(codes, warns === true ? ['WARN_LAYER_LINK'] : []);
    });
  }
});
