import assert from 'node:assert/strict';
import { Readable, Transform, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { DEFAULT_LIMITS, LadingError, MemoryStore } from '../../src/index.js';
import * as stages from '../../src/stages/index.js';

/* A stage whose record is nothing that it knows fails with a LadingError. No record ends the process. */

const documents = new stages.Documents(new MemoryStore(), { limits: DEFAULT_LIMITS });
const platforms = new stages.PlatformSet<{ readonly descriptor: never }>();

const ENTRIES: readonly unknown[] = [
  { name: 'x' },
  { name: 7, type: 'file', size: 1, body: [] },
  { name: 'x', type: 'file', size: -1, body: [] },
  { name: 'x', type: 'file', size: 3, body: null },
  { name: 'x', type: 'pipe', size: 3, body: [] },
  { name: 'x', type: 'file', size: 3, body: Readable.from(['abc']) },
  { name: 'x', type: 'file', size: 3, body: Readable.from([{}]) },
];
const NODES: readonly unknown[] = [
  { descriptor: null },
  { descriptor: {} },
  { descriptor: { digest: 7, mediaType: 'x' } },
];
const CHUNKS: readonly unknown[] = ['text', {}, 7, ['a'], new ArrayBuffer(2)];

const STAGES: readonly (readonly [name: string, make: () => Duplex, odd: readonly unknown[]])[] = [
  ['TarPack', () => new stages.TarPack(), ENTRIES.slice(0, 5)],
  ['VerifyDigests', () => new stages.VerifyDigests(), ENTRIES.slice(0, 5)],
  ['FilterPlatforms', () => new stages.FilterPlatforms({ platforms }), NODES],
  ['ListBlobs', () => new stages.ListBlobs({ documents, platforms, foreignLayers: 'drop' }), NODES],
  ['WalkIndex', () => new stages.WalkIndex({ documents }), NODES],
  ['DedupeBlobs', () => new stages.DedupeBlobs(DEFAULT_LIMITS), NODES],
  ['Decompress', () => new stages.Decompress(DEFAULT_LIMITS), CHUNKS],
  ['TarGuard', () => new stages.TarGuard(DEFAULT_LIMITS), CHUNKS],
];

for (const [name, make, odd] of STAGES) {
  test(`${name} refuses what it does not know`, async () => {
    for (const record of [...odd, 7, 'x', [], new Map()]) {
      const passed = pipeline(Readable.from([record]), make(), drain());
      await assert.rejects(passed, (error) => {
        assert.ok(error instanceof LadingError, String(error));
        return error.code === 'ERR_OPTION_INVALID';
      });
    }
  });
}

test('a body that brings no bytes fails where it is hashed', async () => {
  for (const entry of ENTRIES.slice(5)) {
    const packed = pipeline(Readable.from([entry]), new stages.VerifyDigests(), new stages.TarPack(), drain());
    await assert.rejects(packed, { code: 'ERR_OPTION_INVALID' });
  }
});

/** Reads everything, also bodies. */
function drain(): Transform {
  return new Transform({ objectMode: true, transform: (_record, _encoding, callback) => callback() }).resume();
}
