import assert from 'node:assert/strict';
import { lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { assert as property, asyncProperty, nat } from 'fast-check';
import type { LadingError } from '../../src/model/errors.js';
import { flattenImage } from '../../src/unpack/flatten-image.js';
import { unpackImage } from '../../src/unpack/unpack-image.js';
import { output } from '../fixtures/command.js';
import { HOSTILE_LAYERS } from '../fixtures/hostile-layers.js';
import { layerOf } from '../fixtures/layer-sets.js';
import { NOBODY } from '../fixtures/other-user.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { allOf, flatOf, IMAGE, storeWith } from '../fixtures/unpacking.js';

const OPTIONS = { platform: 'linux/amd64' } as const;

/** Packed well, so that a bomb is one. */
const PACKED = { gzipLevel: 6 };

/** A folder that anybody may write to, with files beside the target that nobody should touch. */
async function canaryPlace(t: TestContext): Promise<string> {
  const place = await temporaryFolder(t);
  await output('sh', ['-c', 'mkdir canary && echo x > canary/x && ln -s /etc canary/l && chmod 777 .'], { cwd: place });
  return place;
}

/** Names, types, modes, sizes and times of the canary tree and of /etc, without the folder of the target itself. */
async function seenBeside(place: string): Promise<readonly string[]> {
  const found = [(await readdir(place)).toSorted().join()];
  for (const folder of [path.join(place, 'canary'), '/etc']) {
    for (const name of ['', ...(await readdir(folder))]) {
      const { mode, size, mtimeMs, ino } = await lstat(path.join(folder, name));
      found.push([folder, name, mode, size, mtimeMs, ino].join(' '));
    }
  }
  return found;
}

/** Runs as a user. Only the effective ids change, which decide what files may be touched. */
async function as<T>(user: number | undefined, run: () => Promise<T>): Promise<T> {
  if (user === undefined) return await run();
  process.setegid?.(user);
  process.seteuid?.(user);
  try {
    return await run();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

function asCode(error: unknown): string {
  // Every error of the library is a LadingError.
  return (error as LadingError).code;
}

async function failure(result: Promise<unknown>): Promise<LadingError> {
  return await result.then(
    () => assert.fail('it was taken'),
    (error: unknown) => error as LadingError,
  );
}

describe('a hostile layer', () => {
  for (const [what, layer, code] of HOSTILE_LAYERS) {
    test(`with ${what}: ${code ?? 'is taken'}, as a tar`, async () => {
      const tar = allOf(flattenImage(await storeWith([layer], PACKED), IMAGE, OPTIONS));
      if (code === undefined) assert.ok((await tar).length > 0);
      else assert.equal((await failure(tar)).code, code);
    });
  }

  for (const user of [undefined, NOBODY]) {
    for (const [what, layer, tarCode, code = tarCode] of HOSTILE_LAYERS) {
      const who = user === undefined ? 'the caller' : 'another user';
      test(`with ${what}: ${code ?? 'is taken'}, as a directory of ${who}, and nothing else is touched`, async (t) => {
        if (process.geteuid?.() !== 0) return t.skip('needs root, to be both');
        const place = await canaryPlace(t);
        const target = path.join(place, 'rootfs');
        const before = await seenBeside(place);
        const store = await storeWith([layer], PACKED);
        const result = await as(user, async () => await unpackImage(store, IMAGE, target, OPTIONS).catch(asCode));
        assert.equal(typeof result === 'object' ? undefined : result, code);
        if (code === undefined) await rm(target, { recursive: true });
        assert.deepEqual(await seenBeside(place), before);
      });
    }
  }

  test('is refused with its digest and the entry', async () => {
    const { details, message } = await failure(flatOf(['x=1', 'a=1 b⇒gone']));
    assert.match(String(details['layer']), /^sha256:/);
    assert.equal(details['entry'], 'b');
    assert.ok(message.includes(String(details['layer'])), message);
  });

  test('of more names than the limit is refused', async () => {
    const layer = Array.from({ length: 11 }, (_, at) => `f${at}=`).join(' ');
    await assert.rejects(flatOf(['x=1', layer], { maxNames: 10 }), { code: 'ERR_LIMIT_ENTRIES' });
    assert.ok((await flatOf(['x=1', layer], { maxNames: 12 })).length > 0);
  });

  test('never throws anything but a LadingError, whatever byte was changed', async () => {
    const layer = layerOf('a/ a/x=1{user.k=v} l→a b⇒a/x c:n{1:3}');
    await property(
      asyncProperty(nat(layer.length - 1), nat(255), async (at, byte) => {
        const changed = Buffer.from(layer);
        changed[at] = byte;
        const result = await flatOf([changed]).catch((error: unknown) => error);
        assert.ok(Buffer.isBuffer(result) || typeof (result as LadingError).category === 'string', String(result));
      }),
      { seed: 15, numRuns: 200 },
    );
  });
});
