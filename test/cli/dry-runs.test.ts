import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { jsonOf, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { readTar } from '../fixtures/saved-archive.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { fill } from '../fixtures/stores.js';

interface DryRun {
  readonly size: number;
  readonly digest: string;
  readonly entries: { readonly count: number };
  readonly images: readonly {
    readonly name: string;
    readonly digest: string;
    readonly platforms: readonly {
      readonly platform: string;
      readonly digest: string;
      readonly bytes: number;
      readonly ownBytes: number;
      readonly sharedBytes: number;
    }[];
  }[];
  readonly missing: readonly { readonly platform: string; readonly state: string; readonly digests: string[] }[];
}

test('a dry run of a save tells the archive to the byte, and writes nothing', async (t) => {
  const built = example({ sharedLayer: true });
  const { run, at, folder, store } = await workspace(t, { loaded: true, built });
  const args = ['--platform', 'linux/amd64,linux/arm64', FAMILIAR];
  const before = await readdir(store, { recursive: true });
  const dry = await run(['save', '--dry-run', '--json', '-o', at('no.tar'), ...args]);
  assert.deepEqual([dry.status, dry.stderr], [0, '']);
  assert.deepEqual([await readdir(store, { recursive: true }), existsSync(at('no.tar'))], [before, false]);
  const plan = jsonOf<DryRun>(dry.stdout);
  assert.equal((await run(['save', '-o', at('out.tar'), ...args])).status, 0);
  assert.deepEqual(
    [plan.size, plan.entries.count],
    [(await stat(at('out.tar'))).size, (await readTar(await readFile(at('out.tar')))).length],
  );
  const shared = built.blobs.links(built.of('linux/amd64').digest).layers?.[0]?.size ?? 0;
  const expected = ['linux/amd64', 'linux/arm64'].map((platform) => {
    const manifest = built.of(platform);
    const { config, layers = [] } = built.blobs.links(manifest.digest);
    const bytes = [manifest, config, ...layers].reduce((sum, blob) => sum + (blob?.size ?? 0), 0);
    return { platform, digest: manifest.digest, bytes, ownBytes: bytes - shared, sharedBytes: shared };
  });
  assert.deepEqual([plan.images, plan.missing], [[{ name: NAME, digest: built.root.digest, platforms: expected }], []]);
  assert.equal((await run(['save', '--dry-run', '--print', 'size', ...args])).stdout, `${plan.size}\n`);
  assert.equal((await run(['save', '--dry-run', '--print', 'digest', ...args])).stdout, `${plan.digest}\n`);
  const text = (await run(['save', '--dry-run', ...args])).stdout;
  assert.match(text, /^example\/app:1 {3}linux\/amd64 {2}\d+\.\d kB {3}linux\/arm64 {2}\d+\.\d kB\n/);
  assert.ok(text.replaceAll(/(?<=\d) (?=\d{3})/g, '').includes(`archive   ${plan.size} bytes, ${plan.entries.count}`));
  assert.equal((await readdir(folder)).includes('no.tar'), false);
});

test('a dry run of a save fails as the save would, and lists every missing digest', async (t) => {
  const built = example({ layers: 3 });
  const { run, store } = await workspace(t, { built });
  const [first, , last] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  assert.ok(first && last);
  for (const { digest } of [first, last]) built.blobs.delete(digest);
  await fill(await OciLayoutStore.open(store), [{ name: NAME, descriptor: built.root }], built.blobs);
  const args = ['save', '--dry-run', '--platform', 'linux/amd64,linux/arm64'];
  const refused = await run([...args, '--json', FAMILIAR]);
  assert.deepEqual(
    [refused.status, refused.stdout, jsonOf<PrintedError>(refused.stderr).error.code],
    [4, '', 'ERR_PLATFORM_UNAVAILABLE'],
  );
  assert.equal((await run([...args, '--print', 'size', FAMILIAR])).status, 4);
  const allowed = await run([...args, '--allow-missing', '--json', FAMILIAR]);
  const { missing, images } = jsonOf<DryRun>(allowed.stdout);
  assert.deepEqual(
    [allowed.status, missing],
    [3, [{ image: FAMILIAR, platform: 'linux/arm64', state: 'missing', digests: [first.digest, last.digest] }]],
  );
  assert.deepEqual(
    images[0]?.platforms.map(({ platform }) => platform),
    ['linux/amd64'],
  );
  assert.equal((await run(['save', '--print', 'size', FAMILIAR])).status, 2);
  assert.equal((await run(['save', '--dry-run', '--print', 'colour', FAMILIAR])).status, 2);
  assert.equal((await run(['save', '--dry-run', 'nothing'])).status, 4);
});
