import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import { DEFAULT_LIMITS, limitsOf } from '../../src/model/limits.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { DedupeBlobs } from '../../src/stages/dedupe-blobs.js';
import type { BlobNeed } from '../../src/stages/records.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';

function needOf(content: string, kind: BlobNeed['kind'] = 'layer'): BlobNeed {
  const descriptor = { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf(content), size: content.length };
  return { target: { descriptor }, descriptor, kind, manifest: digestOf('manifest') };
}

stageSuite('DedupeBlobs', {
  make: () => new DedupeBlobs(DEFAULT_LIMITS),
  inputs: () => Array.from({ length: 200 }, (_, at) => needOf(`blob ${at}`)),
  maxAhead: 40,
});

describe('DedupeBlobs', () => {
  it('passes each digest once, when it is needed first', async () => {
    const needs = ['a', 'b', 'a', 'c', 'b'].map((content) => needOf(content));
    const outputs = await runStage<BlobNeed>(needs, new DedupeBlobs(DEFAULT_LIMITS));
    assert.deepEqual(outputs, [needs[0], needs[1], needs[3]]);
  });

  it('passes a digest once, even if it is needed as two kinds', async () => {
    const outputs = await runStage<BlobNeed>(
      [needOf('{}', 'config'), needOf('{}', 'layer')],
      new DedupeBlobs(DEFAULT_LIMITS),
    );
    assert.deepEqual(
      outputs.map(({ kind }) => kind),
      ['config'],
    );
  });

  it('refuses more different blobs than the limit, and counts repeated ones once', async () => {
    const limits = limitsOf({ maxDescriptors: 2 });
    const repeated = ['a', 'b', 'a', 'b'].map((content) => needOf(content));
    assert.equal((await runStage(repeated, new DedupeBlobs(limits))).length, 2);
    await assert.rejects(runStage([...repeated, needOf('c')], new DedupeBlobs(limits)), {
      code: 'ERR_LIMIT_DESCRIPTORS',
    });
  });
});
