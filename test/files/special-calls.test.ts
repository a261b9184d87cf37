import assert from 'node:assert/strict';
import { lstatSync, openSync, closeSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { isDevice, specialCalls } from '../../src/files/special-calls.js';
import { temporaryFolder } from '../fixtures/stores.js';

const FIFO = { kind: 'fifo', major: 0, minor: 0 } as const;

test('makes a fifo once, and tells errors as Node.js does', async (t) => {
  const calls = specialCalls();
  if (calls === undefined) return t.skip('needs native calls');
  const at = Buffer.from(path.join(await temporaryFolder(t), 'f'));
  calls.makeNode(at, FIFO);
  assert.ok(lstatSync(at).isFIFO());
  assert.throws(() => calls.makeNode(at, FIFO), { code: 'EEXIST', syscall: 'mknodat' });
  assert.throws(() => calls.setXattr(-1, 'user.a', Buffer.from('x')), { code: 'EBADF', syscall: 'fsetxattr' });
});

test('sets no attribute through a link', async (t) => {
  const calls = specialCalls();
  if (calls === undefined) return t.skip('needs native calls');
  const folder = await temporaryFolder(t);
  const [file, link] = [path.join(folder, 'file'), path.join(folder, 'link')];
  writeFileSync(file, '');
  symlinkSync('file', link);
  const fd = openSync(file, 'r');
  t.after(() => closeSync(fd));
  calls.setXattr(fd, 'user.a', Buffer.from([0, 255]));
  // The kernel refuses such attributes of links.
  assert.throws(() => calls.setLinkXattr(Buffer.from(link), 'user.a', Buffer.from('x')), { code: 'EPERM' });
});

test('knows which numbers of devices the kernel can hold', () => {
  assert.deepEqual(
    [
      [0, 0],
      [4095, 2 ** 20 - 1],
      [4096, 0],
      [0, 2 ** 20],
    ].map(([major = 0, minor = 0]) => isDevice({ major, minor })),
    [true, true, false, false],
  );
});
