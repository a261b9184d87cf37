import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LadingError } from '../../src/model/errors.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { LayerReader } from '../../src/layers/layer-reader.js';
import { withReads } from '../../src/stores/with-reads.js';
import { flattenImage } from '../../src/unpack/flatten-image.js';
import { LAYER_SETS, layerOf, paxBytes } from '../fixtures/layer-sets.js';
import { seededRandom } from '../fixtures/seeded.js';
import { endBlocks, rawEntry } from '../fixtures/tar-builder.js';
import { allOf, entriesOf, flatListing, flatOf, IMAGE, storeWith } from '../fixtures/unpacking.js';

const AMD64 = { platform: 'linux/amd64' } as const;
const SOUND = LAYER_SETS.filter(({ result }) => result !== undefined);

const namesIn = (tar: Buffer): readonly string[] => entriesOf(tar).map(({ entry }) => entry.name);

describe('flattenImage', () => {
  test('puts files in layer order, links behind their file, and directories last, deepest first', async () => {
    const tar = await flatOf(['a/ a/b/ a/b/x=1 l→a y⇒a/b/x', 'z=2 a/k=3']);
    assert.deepEqual(namesIn(tar), ['a/b/x', 'y', 'l', 'z', 'a/k', 'a/b/', 'a/', './']);
  });

  test('puts each directory right before its first child on request, and empty ones last', async () => {
    const tar = await flatOf(['e/ a/ a/b/ a/b/x=1 y=2'], { order: 'parents-first' });
    assert.deepEqual(namesIn(tar), ['./', 'a/', 'a/b/', 'a/b/x', 'y', 'e/']);
  });

  test('gives the same bytes for the same image, and for its own output as the only layer', async () => {
    for (const { layers } of SOUND) {
      const tar = await flatOf(layers);
      assert.deepEqual(await flatOf(layers), tar);
      assert.deepEqual(flatListing(await flatOf([tar])), flatListing(tar));
    }
  });

  test('gives the same tree wherever in their layer the markers stand', async () => {
    const random = seededRandom('markers');
    for (const { layers } of SOUND) {
      const moved = layers.map((layer) => withMarkersMoved(layer.split(' '), random));
      assert.deepEqual(flatListing(await flatOf(moved)), flatListing(await flatOf(layers)));
    }
  });

  test('takes the set-id bits off files with setId false, and reports them', async () => {
    const found: unknown[] = [];
    const tar = await flatOf(['su=s{04755} tmp/{02777} x=1'], {
      setId: false,
      onReport: ({ skipped }) => void found.push(...skipped),
    });
    const modes = new Map(entriesOf(tar).map(({ entry }) => [entry.name, entry.mode]));
    assert.deepEqual([modes.get('su'), modes.get('tmp/'), modes.get('x')], [0o755, 0o2777, 0o644]);
    assert.deepEqual(found, [{ what: 'set-id', count: 1, first: 'su' }]);
  });

  test('takes file capabilities off with setId false, and keeps other attributes', async () => {
    const tar = await flatOf(['f=1{user.a=x,security.capability=c} g=2{security.capability=c}'], { setId: false });
    const names = entriesOf(tar).map(({ entry }) => [entry.name, ...(entry.xattrs?.keys() ?? [])]);
    assert.deepEqual(names, [['f', 'user.a'], ['g'], ['./']]);
  });

  test('keeps long names, large ids, fractions of a second and binary attributes', async () => {
    const name = `${'d'.repeat(120)}/${'f'.repeat(200)}`;
    const records = [
      paxBytes('path', name),
      paxBytes('uid', '4294967294'),
      paxBytes('mtime', '-1.5'),
      paxBytes('SCHILY.xattr.security.capability', Buffer.from([1, 0, 0xff, 0x0a])),
      paxBytes('SCHILY.xattr.trusted.x', '1'),
    ];
    const pax = rawEntry({ name: 'PaxHeader', typeflag: 'x' }, Buffer.concat(records));
    const tar = await flatOf([Buffer.concat([pax, rawEntry({ name: 'f' }, 'text'), endBlocks()])]);
    const [{ entry } = assert.fail()] = entriesOf(tar);
    assert.deepEqual(
      [entry.name, entry.uid, entry.mtime, [...(entry.xattrs ?? [])]],
      [name, 4294967294, -1_500_000_000n, [['security.capability', Buffer.from([1, 0, 0xff, 0x0a])]]],
    );
  });

  test('ends no chunk but the last between two entries', async () => {
    const layer = Array.from({ length: 3000 }, (_, at) => `f${at}=${'x'.repeat(at % 1500)}`).join(' ');
    const store = await storeWith([layer]);
    let tar = Buffer.alloc(0);
    const ends: number[] = [];
    for await (const chunk of flattenImage(store, IMAGE, AMD64)) {
      tar = Buffer.concat([tar, chunk as Buffer]);
      ends.push(tar.length);
    }
    assert.ok(ends.length > 5, `${ends.length} chunks`);
    for (const end of ends.slice(0, -1)) {
      const reader = new LayerReader(DEFAULT_LIMITS);
      for (const _ of reader.read(tar.subarray(0, end)));
      assert.throws(() => reader.end(), { code: 'ERR_ARCHIVE_TRUNCATED' });
    }
  });

  test('destroys the stream, without an end, if a layer changes between the passes', async () => {
    const store = await storeWith(['x=1 y=2'], { compression: 'none' });
    let opened = 0;
    const changing = withReads(store, async function* (chunks) {
      for await (const chunk of chunks) {
        const isLayer = chunk.includes('ustar');
        opened += isLayer ? 1 : 0;
        yield isLayer && opened > 1 ? Buffer.from(chunk.toString('latin1').replace('1', '7'), 'latin1') : chunk;
      }
    });
    await assert.rejects(allOf(flattenImage(changing, IMAGE, AMD64)), { code: 'ERR_DIFF_ID_MISMATCH' });
  });

  test('says that stored bytes are damaged, whatever fault shows first', async () => {
    const store = withReads(await storeWith(['x=1'], { gzipLevel: 9 }), async function* (chunks) {
      for await (const chunk of chunks) {
        const copy = Buffer.from(chunk);
        if (copy[0] === 0x1f) copy[20] = (copy[20] ?? 0) ^ 0xff;
        yield copy;
      }
    });
    await assert.rejects(allOf(flattenImage(store, IMAGE, AMD64)), { code: 'ERR_DIGEST_MISMATCH' });
  });

  test('reads a layer of zero bytes, and the same layer twice', async () => {
    assert.deepEqual(flatListing(await flatOf([Buffer.alloc(0), 'x=1', 'x=1'])), ['x 0=1 644 0:0 @0']);
  });

  test('names the platforms of the image if none fits', async () => {
    const error = await failure(allOf(flattenImage(await storeWith(['x=1']), IMAGE, { platform: 'linux/s390x' })));
    assert.deepEqual(
      [error.code, error.details['available'], error.message.includes('linux/amd64')],
      ['ERR_PLATFORM_UNAVAILABLE', ['linux/amd64'], true],
    );
  });

  test('ends with ERR_ABORTED when the signal aborts', async () => {
    const store = await storeWith(['x=1']);
    await assert.rejects(allOf(flattenImage(store, IMAGE, { ...AMD64, signal: AbortSignal.abort() })), {
      code: 'ERR_ABORTED',
    });
  });

  test('refuses options that go with a directory', async () => {
    for (const option of [{ owner: 'keep' }, { sync: true }] as const) {
      await assert.rejects(allOf(flattenImage(await storeWith(['x=1']), IMAGE, { ...AMD64, ...option })), {
        code: 'ERR_OPTION_INVALID',
      });
    }
  });
});

test('reads the same entries from chunks of any size', () => {
  const layer = layerOf('a/ a/x=12345{user.k=v} l→a b⇒a/x');
  const whole = entriesOf(layer).map(({ entry, body }) => [entry, body.toString()]);
  for (const size of [1, 7, 511, 512, 513, 65_536]) {
    const reader = new LayerReader(DEFAULT_LIMITS);
    const found: [unknown, string][] = [];
    for (let at = 0; at < layer.length; at += size) {
      for (const item of reader.read(layer.subarray(at, at + size))) {
        const last = found.at(-1);
        if ('type' in item) found.push([item, '']);
        else if (last !== undefined) last[1] += item.toString();
      }
    }
    reader.end();
    assert.deepEqual(found, whole);
  }
});

async function failure(result: Promise<unknown>): Promise<LadingError> {
  // Every error of the library is a LadingError.
  return await result.then(
    () => assert.fail('it was taken'),
    (error: unknown) => error as LadingError,
  );
}

const isMarker = (token: string): boolean => token.includes('.wh.');

function withMarkersMoved(tokens: readonly string[], random: ReturnType<typeof seededRandom>): string {
  const moved = tokens.filter((token) => !isMarker(token));
  for (const marker of tokens.filter(isMarker)) moved.splice(random.int(moved.length + 1), 0, marker);
  return moved.join(' ');
}
