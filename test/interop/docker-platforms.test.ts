import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { Descriptor } from '../../src/model/descriptor.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { lading } from '../fixtures/command.js';
import { FAMILIAR, PLATFORMS } from '../fixtures/example.js';
import { dockerTest } from './docker.js';
import { blobsOf, onlyImageOf, sortedClosure, statesOf } from './workspace.js';

// From docker 28 on the command can ask for one platform.
const FROM_28 = { from: 28, loaded: true };

dockerTest('save --platform writes the bytes of lading save, or says what is absent', FROM_28, async (bench) => {
  const { docker, refused, at, store } = bench;
  for (const platform of PLATFORMS) {
    await docker('save', '--platform', platform, '-o', at('docker.tar'), FAMILIAR);
    await lading(['save', '--store', store, '--platform', platform, '-o', at('lading.tar'), FAMILIAR]);
    assert.ok((await readFile(at('docker.tar'))).equals(await readFile(at('lading.tar'))), platform);
  }
  const message = await refused('save', '--platform', 'linux/s390x', '-o', at('out.tar'), FAMILIAR);
  assert.match(message, /does not provide the specified platform \(linux\/s390x\)/);
  assert.equal(existsSync(at('out.tar')), false);
});

dockerTest('load --platform stores nothing of the others, and fails for an absent one', { from: 28 }, async (bench) => {
  const { docker, refused, archive, store, built } = bench;
  const message = await refused('load', '--platform', 'linux/s390x', '-i', archive);
  assert.match(
    message,
    /example\/app:1 was not loaded: it doesn't provide the requested platform \(\[linux\/s390x\]\)/,
  );
  assert.equal(await docker('images', '-q'), '');
  assert.equal(await docker('load', '--platform', 'linux/arm/v7', '-i', archive), `Loaded image: ${FAMILIAR}\n`);
  const listed = await onlyImageOf(store);
  assert.equal(listed.digest, built.root.digest);
  const [amd64, arm64, arm] = PLATFORMS;
  assert.deepEqual(statesOf(listed), { [amd64]: 'missing', [arm64]: 'missing', [arm]: 'complete' });
  const kept = [built.of(arm), built.attestations.get(arm)].filter((one): one is Descriptor => one !== undefined);
  const closures = kept.flatMap((one) => sortedClosure(built.blobs, one));
  assert.deepEqual(await blobsOf(store), [...new Set([built.root.digest, ...closures])].toSorted());
});

dockerTest('several platforms are all done, or refused in clear words', FROM_28, async ({ run, at, archive }) => {
  const several = ['--platform', 'linux/arm64,linux/arm/v7'];
  for (const args of [
    ['save', ...several, '-o', at('out.tar'), FAMILIAR],
    ['load', ...several, '-i', archive],
  ]) {
    const { status, stderr } = await run(args);
    if (status !== 0) assert.match(stderr, /invalid platform|multiple platform parameters are not supported/);
  }
});

dockerTest('load of a partial archive warns of what it lacks', { from: 28 }, async ({ docker, at, built }) => {
  const without = new Set(sortedClosure(built.blobs, built.of('linux/arm64')));
  await writeFile(at('partial.tar'), await layoutArchive(built.images, built.blobs, { without }));
  const output = await docker('load', '-i', at('partial.tar'));
  assert.match(output, /^warning: example\/app:1: linux\/arm64 is listed, but sha256:[0-9a-f]{64} is missing$/m);
  assert.match(output, /^Loaded image: example\/app:1$/m);
});

dockerTest('image inspect --platform shows that manifest', FROM_28, async ({ docker, refused, built }) => {
  for (const platform of PLATFORMS) {
    const [shown] = JSON.parse(await docker('image', 'inspect', '--platform', platform, FAMILIAR)) as {
      Id: string;
      Os: string;
      Architecture: string;
      Variant?: string;
      Config: { Labels: object };
    }[];
    assert.equal(shown?.Id, built.of(platform).digest);
    assert.equal([shown?.Os, shown?.Architecture, shown?.Variant].filter(Boolean).join('/'), platform);
    assert.deepEqual(shown?.Config.Labels, { 'example.platform': platform });
  }
  const message = await refused('image', 'inspect', '--platform', 'linux/s390x', FAMILIAR);
  assert.match(message, /does not provide the specified platform \(linux\/s390x\)/);
});

dockerTest('history --platform shows the steps of that manifest', FROM_28, async ({ docker, refused }) => {
  const steps = ['history', '--format', '{{.CreatedBy}}'];
  assert.equal(await docker(...steps, '--platform', 'linux/arm/v7', FAMILIAR), 'layer 1\nlayer 0\n');
  const message = await refused(...steps, '--platform', 'linux/s390x', FAMILIAR);
  assert.match(message, /does not provide the specified platform \(linux\/s390x\)/);
});

dockerTest('images --tree shows every platform, with size 0 if it is not here', FROM_28, async (bench) => {
  const { docker, archive, built } = bench;
  const tree = async (): Promise<string> => await docker('images', '--tree');
  const row = (platform: string, size: string): RegExp =>
    new RegExp(`─ ${platform} +${built.of(platform).digest.slice(7, 19)} +${size} `, 'm');
  for (const platform of PLATFORMS) assert.match(await tree(), row(platform, '[1-9][\\d.]*kB'));
  await docker('rmi', '-f', FAMILIAR);
  await docker('load', '--platform', 'linux/arm64', '-i', archive);
  const partial = await tree();
  assert.match(partial, /^.*example\/app:1 /m);
  assert.match(partial, row('linux/arm64', '[1-9][\\d.]*kB'));
  assert.match(partial, row('linux/arm/v7', '0B'));
});

dockerTest('rmi --platform removes the content of one platform, only with --force', FROM_28, async (bench) => {
  const { docker, refused, run, store, built } = bench;
  const remove = ['rmi', '--platform', 'linux/arm64', FAMILIAR];
  assert.match(await refused(...remove), /must be forced/);
  assert.equal(await docker('rmi', '--force', ...remove.slice(1)), `Deleted: ${built.of('linux/arm64').digest}\n`);
  const states = statesOf(await onlyImageOf(store));
  assert.deepEqual(states, { 'linux/amd64': 'complete', 'linux/arm64': 'missing', 'linux/arm/v7': 'complete' });
  // With --force the command treats an absent platform as removed, but still prints the reason.
  const again = await run(['rmi', '--force', ...remove.slice(1)]);
  assert.equal(again.status, 0);
  assert.match(again.stderr, /has no complete linux\/arm64 to remove/);
});
