import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { ImageReport, Warning } from '../../src/survey/reports.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { removeLayers } from '../fixtures/blob-set.js';
import { jsonOf, workspace } from '../fixtures/cli-workspace.js';
import { runLading } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { buildManifest } from '../fixtures/manifest-builder.js';

interface Report {
  readonly images: readonly ImageReport[];
  readonly leftOut: readonly ImageReport[];
  readonly warnings: readonly Warning[];
  readonly incomplete: boolean;
}

/** The part of a report that says what is in and what is not. */
function toldOf({ images, leftOut, warnings, incomplete }: Report): object {
  return {
    images: images.map(({ name }) => name),
    leftOut: leftOut.map(({ name }) => name),
    warnings: warnings.map(({ code, image, platform }) => [code, image, platform]),
    incomplete,
  };
}

test('save and load tell of each image that they leave out, as text and as JSON', async (t) => {
  const built = example();
  const other = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'other' });
  const images = [...built.images, { root: other, name: 'docker.io/example/b:1' }];
  const { run, at } = await workspace(t);
  await writeFile(at('two.tar'), await layoutArchive(images, built.blobs));
  const filter = ['--allow-missing', '--platform', 'linux/arm64'];
  const warning = 'lading: warning: example/b:1 does not list linux/arm64\n';
  const expected = {
    images: ['docker.io/example/app:1'],
    leftOut: ['docker.io/example/b:1'],
    warnings: [['WARN_PLATFORM_MISSING', 'example/b:1', 'linux/arm64']],
    incomplete: true,
  };
  const load = await run(['load', '-i', at('two.tar'), ...filter]);
  assert.deepEqual([load.status, load.stderr], [3, warning]);
  const loaded = await run(['load', '-i', at('two.tar'), '--json', ...filter]);
  assert.deepEqual([loaded.status, toldOf(jsonOf(loaded.stdout))], [3, expected]);
  assert.equal((await run(['load', '-i', at('two.tar')])).status, 0);
  const save = await run(['save', '-o', at('out.tar'), ...filter, FAMILIAR, 'example/b:1']);
  assert.deepEqual([save.status, save.stderr], [3, warning]);
  const saved = await run(['save', '-o', at('out.tar'), '--json', ...filter, FAMILIAR, 'example/b:1']);
  assert.deepEqual([saved.status, toldOf(jsonOf(saved.stdout))], [3, expected]);
  const piped = await run(['save', '--json', ...filter, FAMILIAR, 'example/b:1']);
  assert.deepEqual([piped.status, toldOf(jsonOf(piped.stderr))], [3, expected]);
});

test('a nightly save of all says nothing of what was left out on purpose, and warns of what is lost', async (t) => {
  const { run, archive, at, store, built } = await workspace(t);
  const platforms = ['--platform', 'linux/amd64,linux/arm64'];
  assert.equal((await run(['load', '-i', archive, ...platforms])).status, 0);
  const nightly = await run(['save', '-o', at('night.tar'), FAMILIAR]);
  assert.deepEqual([nightly.status, nightly.stderr], [0, '']);
  const report = jsonOf<Report>((await run(['save', '-o', at('night.tar'), '--json', FAMILIAR])).stdout);
  assert.deepEqual(report.warnings, []);
  const states = report.images[0]?.platforms.map(({ platform, state }) => `${platform} ${state}`);
  assert.deepEqual(states, ['linux/amd64 complete', 'linux/arm64 complete', 'linux/arm/v7 missing']);
  const shared = new Set(built.blobs.links(built.of('linux/amd64').digest).layers?.map(({ digest }) => digest));
  const [lost] =
    built.blobs.links(built.of('linux/arm64').digest).layers?.filter(({ digest }) => !shared.has(digest)) ?? [];
  await rm(path.join(store, 'blobs', 'sha256', lost?.digest.slice(7) ?? ''));
  const after = await run(['save', '-o', at('night.tar'), FAMILIAR]);
  const warning = `lading: warning: ${FAMILIAR}: linux/arm64 is listed, but ${lost?.digest} is missing\n`;
  assert.deepEqual([after.status, after.stderr], [0, warning]);
  // The archive tells the same to whom it is restored for.
  const restored = await runLading(['load', '-i', at('night.tar'), '--store', at('restored')]);
  assert.match(restored.stderr, /^lading: warning: example\/app:1: linux\/arm64 is listed, but \S+ is missing\n$/);
});

test('the reports of a listing, an inspection and a verification say whether something is missing', async (t) => {
  const built = example();
  const { run, archive } = await workspace(t, { loaded: true, built });
  const commands = [['images'], ['inspect', FAMILIAR], ['verify']];
  const saying = async (args: readonly string[], incomplete: boolean): Promise<void> =>
    assert.equal(jsonOf<Report>((await run([...args, '--json'])).stdout).incomplete, incomplete, args.join(' '));
  for (const args of commands) await saying(args, false);
  assert.equal((await run(['rm', '--platform', 'linux/arm64', FAMILIAR])).status, 0);
  for (const args of commands) await saying(args, true);
  removeLayers(built.blobs, built.of('linux/arm64'));
  await writeFile(archive, await layoutArchive(built.images, built.blobs));
  for (const command of ['images', 'inspect', 'verify']) await saying([command, '--archive', archive], true);
});
