import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { digestOf } from '../../../src/model/digest.js';
import { publishRecords } from '../../../src/model/image-list.js';
import { OciLayoutStore } from '../../../src/stores/layout/oci-layout-store.js';
import type { Store } from '../../../src/stores/store.js';
import { BlobSet } from '../../fixtures/blob-set.js';
import { buildManifest } from '../../fixtures/manifest-builder.js';
import { digestsIn, inSession, namesIn } from '../../suites/stored.js';
import { inFolder } from './layout-folder.js';

const descriptor = buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 'open' });
const FOREIGN = '{"schemaVersion":2,"manifests":[]}\n';

async function publish(store: Store, ...names: readonly string[]): Promise<void> {
  await inSession(store, async (session) => {
    for (const name of names) await session.publish((records) => publishRecords(records, [{ name, descriptor }]));
  });
}

/** The content of a folder: names, and the bytes of files. */
async function contentsOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.map(async (entry) => {
    const file = path.join(entry.parentPath, entry.name);
    return [path.relative(folder, file), entry.isFile() ? await readFile(file, 'latin1') : 'folder'] as const;
  });
  return new Map((await Promise.all(files)).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe('index.json that is behind', () => {
  for (const behind of [1, 2, 40]) {
    it(`by ${behind} generations is repaired at open`, async () => {
      await inFolder(async (folder) => {
        const file = path.join(folder, 'index.json');
        const store = await OciLayoutStore.open(folder);
        await publish(store, 'a:1');
        const old = await readFile(file);
        await publish(store, ...Array.from({ length: behind }, (_, at) => `b:${at}`));
        const newest = await readFile(file);
        await writeFile(file, old);
        await OciLayoutStore.open(folder, { readOnly: true });
        assert.deepEqual(await readFile(file), old, 'a reader repairs nothing');
        assert.equal((await (await OciLayoutStore.open(folder)).list()).length, behind + 1);
        assert.deepEqual(await readFile(file), newest);
      });
    });
  }

  it('or missing is repaired at open', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'index.json');
      await publish(await OciLayoutStore.open(folder), 'a:1');
      const newest = await readFile(file);
      await rm(file);
      await OciLayoutStore.open(folder);
      assert.deepEqual(await readFile(file), newest);
    });
  });

  it('is accepted without a seal, too, as long as its generation is kept', async () => {
    await inFolder(async (folder) => {
      const [index, refs] = [path.join(folder, 'index.json'), path.join(folder, '.lading', 'refs')];
      await OciLayoutStore.open(folder);
      const { annotations, ...bare } = JSON.parse(await readFile(index, 'utf8')) as { annotations: object };
      assert.deepEqual(Object.keys(annotations), ['dev.lading.list.digest']);
      for (const file of [index, path.join(refs, '1.json')]) await writeFile(file, JSON.stringify(bare));
      const store = await OciLayoutStore.open(folder);
      await publish(store, 'a:1');
      assert.deepEqual(await namesIn(await OciLayoutStore.open(folder)), ['a:1']);
    });
  });

  it('is brought up to date by the next publication, too', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'index.json');
      const store = await OciLayoutStore.open(folder);
      const old = await readFile(file);
      await publish(store, 'a:1');
      await writeFile(file, old);
      await publish(store, 'a:2');
      assert.deepEqual(await namesIn(store), ['a:1', 'a:2']);
      assert.match(await readFile(file, 'utf8'), /a:1.*a:2/);
    });
  });
});

describe('index.json that another program wrote', () => {
  it('is refused at open and stays as it is', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'index.json');
      await publish(await OciLayoutStore.open(folder), 'a:1');
      await writeFile(file, FOREIGN);
      await assert.rejects(OciLayoutStore.open(folder), { code: 'ERR_STORE_TAMPERED' });
      assert.equal(await readFile(file, 'utf8'), FOREIGN);
    });
  });

  const edits: Readonly<Record<string, (text: string) => string>> = {
    'has one more image, and the same annotations': (text) =>
      text.replace('"manifests":[', `"manifests":[${JSON.stringify(descriptor)},`),
    'has one image less': (text) => text.replace(/"manifests":\[.*\],/, '"manifests":[],'),
    'is indented': (text) => JSON.stringify(JSON.parse(text), null, 2),
    'ends with a newline': (text) => `${text}\n`,
    'has its annotations first': (text) => {
      const { annotations, ...rest } = JSON.parse(text) as { annotations: object };
      return JSON.stringify({ annotations, ...rest });
    },
    'is empty': () => '',
  };
  for (const [what, edit] of Object.entries(edits)) {
    it(`is recognized if it ${what}`, async () => {
      await inFolder(async (folder) => {
        const file = path.join(folder, 'index.json');
        const store = await OciLayoutStore.open(folder);
        await publish(store, 'a:1');
        const edited = edit(await readFile(file, 'utf8'));
        await writeFile(file, edited);
        await assert.rejects(OciLayoutStore.open(folder), {
          code: 'ERR_STORE_TAMPERED',
          message: /lading load -i DIR/,
        });
        await assert.rejects(publish(store, 'a:2'), { code: 'ERR_STORE_TAMPERED' });
        assert.equal(await readFile(file, 'utf8'), edited);
      });
    });
  }

  it('makes a publication fail, which then publishes nothing', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'index.json');
      const store = await OciLayoutStore.open(folder);
      await publish(store, 'a:1');
      await writeFile(file, FOREIGN);
      await assert.rejects(publish(store, 'a:2'), { code: 'ERR_STORE_TAMPERED' });
      assert.equal(await readFile(file, 'utf8'), FOREIGN);
      assert.deepEqual(await namesIn(store), ['a:1']);
    });
  });
});

describe('a directory that is not a Lading store', () => {
  it('is refused if it is an OCI layout that another program made, and stays as it is', async () => {
    await inFolder(async (folder) => {
      await writeFile(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      await writeFile(path.join(folder, 'index.json'), FOREIGN);
      await mkdir(path.join(folder, 'blobs', 'sha256'), { recursive: true });
      const before = await contentsOf(folder);
      for (const readOnly of [false, true])
        await assert.rejects(OciLayoutStore.open(folder, { readOnly }), { code: 'ERR_STORE_TAMPERED' });
      assert.deepEqual(await contentsOf(folder), before);
    });
  });

  it('is refused if it has anything else in it, and stays as it is', async () => {
    await inFolder(async (folder) => {
      await writeFile(path.join(folder, 'notes.txt'), 'mine');
      const before = await contentsOf(folder);
      for (const readOnly of [false, true])
        await assert.rejects(OciLayoutStore.open(folder, { readOnly }), { code: 'ERR_STORE_TAMPERED' });
      assert.deepEqual(await contentsOf(folder), before);
    });
  });

  it('is refused if it is a file', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'file');
      await writeFile(file, 'x');
      await assert.rejects(OciLayoutStore.open(file), { name: 'LadingError', category: 'storage' });
      assert.equal(await readFile(file, 'utf8'), 'x');
    });
  });

  it('is refused if a newer program made it', async () => {
    await inFolder(async (folder) => {
      await OciLayoutStore.open(folder);
      await writeFile(path.join(folder, '.lading', 'version'), '2\n');
      for (const readOnly of [false, true])
        await assert.rejects(OciLayoutStore.open(folder, { readOnly }), { code: 'ERR_STORE_VERSION' });
    });
  });
});

describe('a directory that becomes a store', () => {
  it('may be missing, with folders above it, empty, or a fresh file system', async () => {
    await inFolder(async (folder) => {
      await mkdir(path.join(folder, 'empty'));
      await mkdir(path.join(folder, 'disk', 'lost+found'), { recursive: true });
      for (const name of ['empty', 'disk', 'a/b/c']) {
        const store = await OciLayoutStore.open(path.join(folder, name));
        await publish(store, 'a:1');
        assert.deepEqual(await namesIn(store), ['a:1']);
      }
    });
  });

  it('is completed if an earlier open was interrupted', async () => {
    await inFolder(async (whole) => {
      await OciLayoutStore.open(whole);
      const names = ['.lading/version', 'oci-layout', 'index.json', '.lading/refs/1.json', '.lading/trash', 'blobs'];
      for (let made = 0; made < names.length; made += 1) {
        await inFolder(async (folder) => {
          await OciLayoutStore.open(folder);
          for (const name of names.slice(made)) await rm(path.join(folder, name), { recursive: true });
          await OciLayoutStore.open(folder);
          assert.deepEqual(await contentsOf(folder), await contentsOf(whole));
        });
      }
    });
  });
});

describe('a store that is opened read-only', () => {
  it('is empty if the directory does not exist, and does not create it', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(path.join(folder, 'missing'), { readOnly: true });
      assert.deepEqual(await store.list(), []);
      assert.deepEqual(await digestsIn(store), []);
      assert.equal(await store.stat(digestOf('x')), undefined);
      assert.deepEqual(await readdir(folder), []);
    });
  });

  it('is empty while another process makes it, whatever is there already', async () => {
    await inFolder(async (folder) => {
      const made = path.join(folder, 'made');
      await OciLayoutStore.open(made);
      const list = path.join('.lading', 'refs', '1.json');
      // The order in which they are made, without what is made later.
      const kept = ['.lading/ingest', '.lading/refs', 'blobs', '.lading/version', 'oci-layout', list, 'index.json'];
      for (let parts = 0; parts <= kept.length; parts += 1) {
        const part = path.join(folder, String(parts));
        await mkdir(part);
        for (const name of kept.slice(0, parts)) {
          const file = path.join(part, name);
          if ((await stat(path.join(made, name))).isDirectory()) await mkdir(file, { recursive: true });
          else await copyFile(path.join(made, name), file);
        }
        assert.deepEqual(await (await OciLayoutStore.open(part, { readOnly: true })).list(), [], String(kept[parts]));
      }
    });
  });

  it('is refused if its lists are gone and index.json is there', async () => {
    await inFolder(async (folder) => {
      await publish(await OciLayoutStore.open(folder), 'a:1');
      await rm(path.join(folder, '.lading', 'refs'), { recursive: true });
      await mkdir(path.join(folder, '.lading', 'refs'));
      const store = await OciLayoutStore.open(folder, { readOnly: true });
      await assert.rejects(store.list(), { code: 'ERR_STORE_TAMPERED' });
    });
  });

  it('refuses to start a session or a prune, and writes nothing', async () => {
    await inFolder(async (folder) => {
      await publish(await OciLayoutStore.open(folder), 'a:1');
      const before = await contentsOf(folder);
      const store = await OciLayoutStore.open(folder, { readOnly: true });
      assert.deepEqual(await namesIn(store), ['a:1']);
      await assert.rejects(store.session(), { code: 'ERR_STORE_READONLY' });
      await assert.rejects(store.prune({ now: Date.now(), graceMs: 0 }), { code: 'ERR_STORE_READONLY' });
      assert.deepEqual(await contentsOf(folder), before);
    });
  });
});
