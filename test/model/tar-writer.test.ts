import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pack } from 'tar-stream';
import { tarEntryBytes } from '../../src/model/archive-layout.js';
import { TAR_BLOCK } from '../../src/model/tar-header.js';
import { fitsOneHeader, writeTarHeader, type TarHeaderFields } from '../../src/model/tar-writer.js';

/** The first block that tar-stream writes for an entry. */
async function packedHeader(fields: TarHeaderFields): Promise<Buffer> {
  const packer = pack();
  const owner = { uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) };
  packer.entry({ ...fields, ...owner }).on('error', () => {});
  const [header] = (await once(packer, 'data')) as [Buffer];
  packer.destroy();
  return header;
}

const asFields = fc.record({
  name: fc.stringMatching(/^[ -~]{1,100}$/).filter((name) => !name.endsWith('/')),
  size: fc.oneof(fc.nat(2000), fc.integer({ min: 2001, max: 0o77777777777 })),
  // For 0 the packer takes its own mode.
  mode: fc.integer({ min: 1, max: 0o777 }),
});

test('writes the header that the packer writes', async () => {
  await fc.assert(
    fc.asyncProperty(asFields, async (fields) => {
      const header = { ...fields, type: 'file' } as const;
      const block = Buffer.alloc(TAR_BLOCK, 0xff);
      assert.ok(fitsOneHeader(header));
      writeTarHeader(block, header);
      assert.deepEqual(block, await packedHeader(header));
    }),
    { numRuns: 300 },
  );
});

test('writes the header of a folder that the packer writes', async () => {
  const header = { name: 'blobs/sha256/', type: 'directory', size: 0, mode: 0o755 } as const;
  const block = Buffer.alloc(TAR_BLOCK);
  writeTarHeader(block, header);
  assert.deepEqual(block, await packedHeader(header));
});

test('knows which entries need more than one header block', () => {
  for (const [name, size, fits] of [
    ['a'.repeat(100), 0, true],
    ['a'.repeat(101), 0, false],
    [`blobs/sha512/${'a'.repeat(128)}`, 0, false],
    ['é', 0, false],
    ['', 0, false],
    ['a', 8 ** 11 - 1, true],
    ['a', 8 ** 11, false],
  ] as const) {
    assert.equal(fitsOneHeader({ name, size }), fits, `${name} ${size}`);
  }
});

test('counts the bytes of an entry with its padding', () => {
  assert.deepEqual(
    [0, 1, 512, 513].map((size) => tarEntryBytes('a', size)),
    [512, 1024, 1024, 1536],
  );
});
