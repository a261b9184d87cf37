import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/model/digest.js';
import { LayerProbe, type LayerFacts } from '../../src/stores/layer-probe.js';
import { seededBytes } from '../fixtures/seeded.js';

const TAR = Buffer.concat([seededBytes('layer', 100_000), Buffer.alloc(400_000)]);
const GZIP = gzipSync(TAR);

async function probe(bytes: Uint8Array, chunkBytes: number): Promise<LayerFacts> {
  const layer = new LayerProbe();
  for (let at = 0; at < bytes.length; at += chunkBytes) await layer.write(bytes.subarray(at, at + chunkBytes));
  return await layer.end();
}

describe('LayerProbe', () => {
  for (const chunkBytes of [1, 1000, 65_536, 1_000_000]) {
    it(`knows the diff id of gzip in chunks of ${chunkBytes}`, { timeout: 10_000 }, async () => {
      const [tar, gzip] = chunkBytes === 1 ? [TAR.subarray(0, 3000), gzipSync(TAR.subarray(0, 3000))] : [TAR, GZIP];
      assert.deepEqual(await probe(gzip, chunkBytes), { gzip: true, diffId: digestOf(tar) });
      assert.deepEqual(await probe(tar, chunkBytes), { gzip: false });
    });
  }

  it('takes little for no gzip', async () => {
    for (const hex of ['', '1f', '1f8a', '008b1f8b']) {
      assert.deepEqual(await probe(Buffer.from(hex, 'hex'), 1), { gzip: false });
    }
  });

  const broken: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['was cut', GZIP.subarray(0, -5)],
    ['was changed', Buffer.concat([GZIP.subarray(0, 5000), Buffer.alloc(5000, 'x'), GZIP.subarray(10_000)])],
    ['is only a magic number', Buffer.from([0x1f, 0x8b])],
  ];
  for (const [what, bytes] of broken) {
    it(`knows no diff id of gzip that ${what}, and waits for nothing`, { timeout: 10_000 }, async () => {
      for (const chunkBytes of [100, 65_536, 1_000_000]) {
        assert.deepEqual(await probe(bytes, chunkBytes), { gzip: true, diffId: undefined });
      }
    });
  }

  it('ends in the middle when it is given up', { timeout: 10_000 }, async () => {
    const layer = new LayerProbe();
    await layer.write(GZIP.subarray(0, 50_000));
    layer.destroy();
    layer.destroy();
    await layer.write(GZIP.subarray(50_000));
  });

  it('ends in zeros behind the last member', { timeout: 10_000 }, async () => {
    for (const chunkBytes of [7000, 1_000_000]) {
      const facts = await probe(Buffer.concat([GZIP, Buffer.alloc(300_000)]), chunkBytes);
      assert.deepEqual(facts, { gzip: true, diffId: digestOf(TAR) });
    }
  });
});
