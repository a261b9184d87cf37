import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, truncate } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../../src/model/digest.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { jsonOf, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { DAMAGES, flipBit } from '../fixtures/damage.js';
import { FAMILIAR } from '../fixtures/example.js';
import { sampleOf } from '../fixtures/extent.js';
import { asNobody } from '../fixtures/other-user.js';
import { whileReadOnly } from '../fixtures/small-disk.js';

interface Verified {
  readonly problems: readonly { readonly code: string; readonly digest: string; readonly unreadable?: boolean }[];
  readonly quarantined?: readonly string[];
  readonly notQuarantined?: { readonly code: string };
}

function layerOf({ store, built }: Workspace): { readonly digest: Digest; readonly file: string } {
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  assert.ok(layer);
  return { digest: layer.digest, file: path.join(store, blobPath(layer.digest)) };
}

for (const [what, damage] of sampleOf(Object.entries(DAMAGES), 3, 'damages that heal')) {
  test(`moves a layer that ${what} away, and a load restores it`, async (t) => {
    const space = await workspace(t, { loaded: true });
    const { digest, file } = layerOf(space);
    await damage(file);
    const bad = await space.run(['verify']);
    assert.equal(bad.status, 5);
    assert.match(bad.stdout, new RegExp(`^damaged: .*${digest}.* \\[ERR_\\w+\\]$`, 'm'));
    assert.match(bad.stdout, new RegExp(`^moved to the trash: ${digest}; load its image again$`, 'm'));
    assert.equal(existsSync(file), false);
    const after = await space.run(['verify']);
    assert.deepEqual([after.status, /linux\/arm64: missing/.test(after.stdout)], [5, true]);
    assert.equal((await space.run(['load', '-i', space.archive])).status, 0);
    const healed = await space.run(['verify']);
    assert.deepEqual([healed.status, /arm64: complete/.test(healed.stdout)], [0, true]);
    const dry = await space.run(['prune', '--grace', '0', '--dry-run']);
    assert.match(dry.stdout, new RegExp(`^Would delete damaged: ${digest}$`, 'm'));
    const pruned = await space.run(['prune', '--grace', '0']);
    assert.match(pruned.stdout, new RegExp(`^Deleted damaged: ${digest}$`, 'm'));
    assert.equal((await space.run(['prune', '--grace', '0'])).stdout, 'Total reclaimed space: 0 B\n');
  });
}

test('leaves damaged blobs in place with --dry-run, and reports them just the same', async (t) => {
  const space = await workspace(t, { loaded: true });
  const { digest, file } = layerOf(space);
  await flipBit(file);
  const dry = await space.run(['verify', '--dry-run', '--json']);
  const report = jsonOf<Verified>(dry.stdout);
  assert.deepEqual([dry.status, report.problems[0]?.digest, report.quarantined], [5, digest, undefined]);
  assert.equal(existsSync(file), true);
  const real = jsonOf<Verified>((await space.run(['verify', '--json'])).stdout);
  assert.deepEqual([real.problems, real.quarantined], [report.problems, [digest]]);
});

test('only reports damage in a store on a read-only medium', async (t) => {
  const space = await workspace(t, { loaded: true });
  const { digest, file } = layerOf(space);
  await flipBit(file);
  await whileReadOnly(t, space.store, async () => {
    const checked = await space.run(['verify', '--json']);
    const { problems, quarantined, notQuarantined } = jsonOf<Verified>(checked.stdout);
    assert.deepEqual([checked.status, problems[0]?.digest, quarantined], [5, digest, []]);
    assert.equal(notQuarantined?.code, 'ERR_STORE_READONLY');
    assert.match((await space.run(['verify', FAMILIAR])).stdout, /^not moved: .* \[ERR_STORE_READONLY\]$/m);
  });
  assert.equal(existsSync(file), true);
});

test('tells of blobs that its user may not read, leaves them where they are, and moves damaged ones away', async (t) => {
  const space = await workspace(t, { loaded: true });
  const { digest, file } = layerOf(space);
  const manifest = space.built.of('linux/amd64').digest;
  const files = [file, path.join(space.store, blobPath(manifest))];
  for (const one of files) await chmod(one, 0);
  const run = await asNobody(t, space.folder);
  if (run === undefined) return;
  const verify = ['verify', '--store', space.store];
  const { status, stdout } = await run([...verify, '--json']);
  const report = jsonOf<Verified>(stdout);
  const found = report.problems.map(({ code, digest: of, unreadable }) => `${code} ${of} ${unreadable}`);
  const expected = [digest, manifest].map((of) => `ERR_STORAGE_IO ${of} true`);
  assert.deepEqual([status, found.toSorted(), report.quarantined], [8, expected.toSorted(), []]);
  assert.match((await run(verify)).stdout, /^unreadable: .*permission denied.*2 unreadable, left where they are$/ms);
  // Damage of another blob is told and moved away as ever.
  const config = space.built.blobs.links(space.built.of('linux/arm64').digest).config?.digest ?? assert.fail();
  await chmod(path.join(space.store, blobPath(config)), 0o600);
  await truncate(path.join(space.store, blobPath(config)), 3);
  const damaged = await run([...verify, '--json']);
  assert.deepEqual([damaged.status, jsonOf<Verified>(damaged.stdout).quarantined], [5, [config]]);
  for (const one of files) {
    assert.equal(existsSync(one), true);
    await chmod(one, 0o400);
  }
  assert.equal((await run(['load', '-i', space.archive, '--store', space.store])).status, 0);
  assert.equal((await run(verify)).status, 0);
});
