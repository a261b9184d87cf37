import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { ImageReport, Warning } from '../../src/survey/reports.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { removeLayers } from '../fixtures/blob-set.js';
import { jsonOf, workspace } from '../fixtures/cli-workspace.js';
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
