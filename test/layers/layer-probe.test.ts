import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { LayerProbe, type LayerFacts } from '../../src/layers/layer-probe.js';
import { digestOf } from '../../src/model/digest.js';
import { DEFAULT_LIMITS, limitsOf } from '../../src/model/limits.js';
import { pack, PACKERS } from '../fixtures/packers.js';
import { seededBytes } from '../fixtures/seeded.js';
import { until } from '../fixtures/until.js';

const TAR = Buffer.concat([seededBytes('layer', 100_000), Buffer.alloc(400_000)]);
const GZIP = gzipSync(TAR);

async function probe(bytes: Uint8Array, chunkBytes: number): Promise<LayerFacts> {
  const layer = new LayerProbe({ limits: DEFAULT_LIMITS });
  for (let at = 0; at < bytes.length; at += chunkBytes) await layer.write(bytes.subarray(at, at + chunkBytes));
  return await layer.end();
}

describe('LayerProbe', () => {
  for (const chunkBytes of [1, 1000, 65_536, 1_000_000]) {
    it(`returns the diff id of gzip in chunks of ${chunkBytes}`, async () => {
      const [tar, gzip] = chunkBytes === 1 ? [TAR.subarray(0, 3000), gzipSync(TAR.subarray(0, 3000))] : [TAR, GZIP];
      assert.deepEqual(await probe(gzip, chunkBytes), { compression: 'gzip', diffId: digestOf(tar) });
      assert.deepEqual(await probe(tar, chunkBytes), { compression: 'none' });
    });
  }

  it('does not take other bytes for gzip', async () => {
    for (const hex of ['', '1f', '1f8a', '008b1f8b']) {
      assert.deepEqual(await probe(Buffer.from(hex, 'hex'), 1), { compression: 'none' });
    }
  });

  const broken: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['was cut', GZIP.subarray(0, -5)],
    ['was changed', Buffer.concat([GZIP.subarray(0, 5000), Buffer.alloc(5000, 'x'), GZIP.subarray(10_000)])],
    ['is only a magic number', Buffer.from([0x1f, 0x8b])],
  ];
  for (const [what, bytes] of broken) {
    it(`returns an error for gzip that ${what}, and never hangs`, async () => {
      for (const chunkBytes of [100, 65_536, 1_000_000]) {
        const { compression, diffId, error } = await probe(bytes, chunkBytes);
        assert.deepEqual([compression, diffId, error?.code], ['gzip', undefined, 'ERR_COMPRESSED_DATA']);
      }
    });
  }

  it('ends early when it is destroyed', async () => {
    const layer = new LayerProbe({ limits: DEFAULT_LIMITS });
    await layer.write(GZIP.subarray(0, 50_000));
    layer.destroy();
    layer.destroy();
    await layer.write(GZIP.subarray(50_000));
  });

  it('passes over zeros that follow the last member, and finds what is behind them', async () => {
    for (const chunkBytes of [7000, 1_000_000]) {
      const padded = Buffer.concat([GZIP, Buffer.alloc(300_000)]);
      assert.deepEqual(await probe(padded, chunkBytes), { compression: 'gzip', diffId: digestOf(TAR) });
      const { error } = await probe(Buffer.concat([padded, GZIP]), chunkBytes);
      assert.equal(error?.code, 'ERR_COMPRESSED_DATA');
    }
  });

  it('needs no more bytes once unpacking has failed', async () => {
    const layer = new LayerProbe({ limits: DEFAULT_LIMITS });
    await layer.write(Buffer.concat([GZIP, Buffer.from('more')]));
    await until(() => layer.isDone, 'the probe to know all');
    await layer.write(Buffer.alloc(1000));
    assert.equal((await layer.end()).error?.code, 'ERR_COMPRESSED_DATA');
  });

  it('unpacks no more than the ratio allows', async () => {
    const limits = limitsOf({ ratioGraceBytes: 1_000_000, maxRatio: 10 });
    const layer = new LayerProbe({ limits });
    await layer.write(gzipSync(Buffer.alloc(8_000_000)));
    const { diffId, error } = await layer.end();
    assert.deepEqual([diffId, error?.code], [undefined, 'ERR_LIMIT_RATIO']);
  });

  for (const { name, skip } of PACKERS) {
    it(`returns the diff id of ${name}, of several parts too`, { skip }, async () => {
      const bytes = Buffer.concat([pack(name, TAR), pack(name, TAR)]);
      const both = digestOf(Buffer.concat([TAR, TAR]));
      for (const chunkBytes of [5000, 10_000_000]) {
        assert.deepEqual(await probe(bytes, chunkBytes), { compression: name, diffId: both });
        const { error } = await probe(Buffer.concat([bytes, Buffer.from('hidden')]), chunkBytes);
        assert.equal(error?.code, 'ERR_COMPRESSED_DATA');
      }
    });
  }

  it('reads only the head with headOnly', async () => {
    const head = new LayerProbe({ limits: DEFAULT_LIMITS, headOnly: true });
    await head.write(GZIP);
    assert.equal(head.isDone, true);
    assert.deepEqual(await head.end(), { compression: 'gzip' });
  });
});
