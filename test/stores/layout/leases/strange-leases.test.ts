import assert from 'node:assert/strict';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { digestOf } from '../../../../src/model/digest.js';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { verifyImages } from '../../../../src/verify/verify-images.js';
import { output } from '../../../fixtures/command.js';
import { digestsIn, inSession, storeBytes } from '../../../suites/stored.js';
import { inFolder, privateFiles } from '../layout-folder.js';

const HOUR = 60 * 60 * 1000;
const soon = (): { now: number; graceMs: number } => ({ now: Date.now() + HOUR, graceMs: 0 });
const afterResumeTime = (): { now: number; graceMs: number } => ({ now: Date.now() + 25 * HOUR, graceMs: 0 });

describe('something else in the place of a lease', () => {
  const STRANGE: Readonly<Record<string, (file: string) => Promise<unknown>>> = {
    'a folder': mkdir,
    'a named pipe': async (file) => await output('mkfifo', [file]),
    'a link to an endless device': async (file) => await symlink('/dev/zero', file),
    'a link to itself': async (file) => await symlink(file, file),
    'a link to nothing': async (file) => await symlink('/nonexistent', file),
    'a file larger than any lease': async (file) => {
      await writeFile(file, '');
      await truncate(file, 2 ** 40);
    },
  };
  for (const [what, make] of Object.entries(STRANGE)) {
    it(`${what} is passed by prune and rm, and told by verify`, async () => {
      await inFolder(async (folder) => {
        const store = await OciLayoutStore.open(folder);
        await inSession(store, async (session) => void (await storeBytes(session, 'loose')));
        const file = path.join(folder, '.lading', 'leases', '6f3d0a52-0000-4000-8000-000000000000');
        await make(file);
        await store.prune(soon());
        assert.deepEqual(await digestsIn(store), []);
        const { problems } = await verifyImages(store);
        assert.deepEqual(
          problems.map(({ code, message }) => [code, message.includes(file)]),
          [['ERR_STORE_TAMPERED', true]],
        );
      });
    });
  }

  const CONTENT = {
    empty: '',
    null: 'null\n',
    'a list': '[]\n',
    'a text': '"x"\n',
    'a negative process number': '{"pid":-1,"host":"h"}\n',
    'numbers in place of texts': '{"pid":1,"host":1,"bootId":2,"startTime":3}\n',
    'no text at all': Buffer.alloc(10_000, 0xff),
    'one long line': 'x'.repeat(5_000_000),
  };
  for (const [what, content] of Object.entries(CONTENT)) {
    it(`a file with ${what} protects what it names until the resume time is over`, async () => {
      await inFolder(async (folder) => {
        const store = await OciLayoutStore.open(folder);
        await inSession(store, async (session) => void (await storeBytes(session, 'named')));
        const lines = Buffer.concat([Buffer.from(content), Buffer.from(`\n${digestOf('named')}\n`)]);
        await writeFile(path.join(folder, '.lading', 'leases', 'strange'), lines);
        await store.prune({ ...soon(), resumeMs: 0 });
        assert.deepEqual(await digestsIn(store), [digestOf('named')]);
        assert.deepEqual((await verifyImages(store)).problems, []);
        await store.prune(afterResumeTime());
        assert.deepEqual([await digestsIn(store), await privateFiles(folder)], [[], []]);
      });
    });
  }

  it('files in the trash that belong to no collection stop nothing', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await writeFile(path.join(folder, '.lading', 'trash', 'stray'), '');
      await inSession(store, async (session) => {
        await storeBytes(session, 'loose');
        assert.deepEqual(await session.discard([digestOf('loose')]), [digestOf('loose')]);
      });
      await store.prune(soon());
    });
  });
});
