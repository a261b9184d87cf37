import assert from 'node:assert/strict';
import { readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { BlobSet } from '../fixtures/blob-set.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { workspace } from '../fixtures/cli-workspace.js';
import { output, requireTool } from '../fixtures/command.js';
import { buildImage } from '../fixtures/manifest-builder.js';
import { IS_ALL } from '../fixtures/extent.js';
import { seededBytes } from '../fixtures/seeded.js';
import { endBlocks, rawEntry } from '../fixtures/tar-builder.js';

/* The bytes of five versions of an image, of which each has a new top layer: docs/archives.md has the long form. */

const VERSIONS = [1, 2, 3, 4, 5];
const MIB = 1024 * 1024;
const LAYERS = IS_ALL ? { os: 30 * MIB, runtime: 8 * MIB, app: MIB } : { os: 3 * MIB, runtime: MIB, app: MIB / 4 };

function layer(seed: string, bytes: number): Buffer {
  const file = rawEntry({ name: 'file', mode: 0o644, size: bytes, typeflag: '0' }, seededBytes(seed, bytes));
  return Buffer.concat([file, endBlocks()]);
}

async function bytesIn(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return (await Promise.all(files.map(async (file) => (await stat(file)).size))).reduce((sum, size) => sum + size, 0);
}

test('a full archive and four thin ones take fewer bytes than five archives in restic and borg', async (t) => {
  if (!requireTool(t, 'restic', 'borg')) return;
  const { run, at } = await workspace(t);
  const lading = async (...args: readonly string[]) => {
    const result = await run(args);
    assert.equal(result.status, 0, result.stderr);
    return result.output;
  };
  const env = {
    RESTIC_REPOSITORY: at('restic'),
    RESTIC_PASSWORD: 'secret',
    RESTIC_CACHE_DIR: at('cache'),
    BORG_REPO: at('borg'),
    BORG_BASE_DIR: at('borg-base'),
  };
  await output('restic', ['init', '--quiet'], { env });
  await output('borg', ['init', '--encryption', 'none'], { env });
  const sizes = { tar: 0, thin: 0 };
  for (const version of VERSIONS) {
    const blobs = new BlobSet();
    const tars = [layer('os', LAYERS.os), layer('runtime', LAYERS.runtime), layer(`app ${version}`, LAYERS.app)];
    const root = buildImage(blobs, tars, { platform: 'linux/amd64', compression: 'none' });
    const name = `docker.io/library/shop:${version}`;
    await writeFile(at('in.tar'), await layoutArchive([{ root, name }], blobs));
    await lading('load', '-i', at('in.tar'));
    const full = await lading('save', `shop:${version}`);
    sizes.tar += full.length;
    if (version === 1) await writeFile(at('full.tar'), full);
    const thin = version === 1 ? full : await lading('save', `shop:${version}`, '--base', at('full.tar'));
    sizes.thin += thin.length;
    if (version > 1) assert.ok(thin.length <= LAYERS.app + 64 * 1024 + 4096, String(thin.length));
    await output('restic', ['backup', '--quiet', '--stdin', '--stdin-filename', 'images.tar'], { env, input: full });
    await output('borg', ['create', `::${version}`, '-'], { env, input: full });
  }
  const figures = { ...sizes, restic: await bytesIn(at('restic')), borg: await bytesIn(at('borg')) };
  t.diagnostic(`bytes of five versions: ${JSON.stringify(figures)}`);
  assert.ok(figures.thin < Math.min(figures.tar, figures.restic, figures.borg), JSON.stringify(figures));
});
