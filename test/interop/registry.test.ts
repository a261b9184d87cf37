import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { jsonOf, workspace } from '../fixtures/cli-workspace.js';
import { lading, output, requireTool } from '../fixtures/command.js';
import { sharedRegistry, type RunningRegistry } from '../fixtures/docker-registry.js';
import { NAME } from '../fixtures/example.js';

/* skopeo as the second client of one registry: what one pushes the other pulls, with the same digests. */

const start = sharedRegistry();

async function registryFor(t: TestContext): Promise<RunningRegistry | undefined> {
  return requireTool(t, 'skopeo') ? await start(t) : undefined;
}

interface Layout {
  readonly manifests: readonly { readonly digest: string }[];
}

test('skopeo pulls every platform of what lading has pushed', async (t) => {
  const registry = await registryFor(t);
  if (registry === undefined) return;
  const { built, store, at } = await workspace(t, { loaded: true });
  const name = `${registry.host}/skopeo/pulls:1`;
  await lading(['push', '--store', store, NAME, name]);
  await output('skopeo', [
    'copy',
    '--all',
    '--preserve-digests',
    '--src-tls-verify=false',
    `docker://${name}`,
    `oci:${at('layout')}:1`,
  ]);
  const { readFile } = await import('node:fs/promises');
  const { manifests } = jsonOf<Layout>(await readFile(at('layout/index.json'), 'utf8'));
  assert.deepEqual(
    manifests.map(({ digest }) => digest),
    [built.root.digest],
  );
  const listed = await output('skopeo', ['list-tags', '--tls-verify=false', `docker://${registry.host}/skopeo/pulls`]);
  assert.deepEqual(jsonOf<{ Tags: string[] }>(listed).Tags, ['1']);
});

for (const format of ['oci', 'v2s2'] as const) {
  test(`lading pulls what skopeo has pushed as ${format}, with its digest`, async (t) => {
    const registry = await registryFor(t);
    if (registry === undefined) return;
    const { archive, store, at } = await workspace(t);
    const name = `${registry.host}/skopeo/${format}:1`;
    await output('skopeo', [
      'copy',
      '--all',
      '--format',
      format,
      '--dest-tls-verify=false',
      `oci-archive:${archive}`,
      `docker://${name}`,
    ]);
    const raw = await output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`]);
    const { digestOf } = await import('../../src/model/digest.js');
    assert.equal(await lading(['pull', '--store', store, name]), `${name}@${digestOf(raw)}\n`);
    await lading(['verify', '--complete', '--store', store]);
    const copied = `${registry.host}/skopeo/${format}-again:1`;
    await lading(['copy', `docker://${name}`, `docker://${copied}`]);
    await lading(['copy', '--platform', 'linux/arm64', `docker://${copied}`, `oci-archive:${at('one.tar')}`]);
    assert.equal(await output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${copied}`]), raw);
    const one = jsonOf<{ Architecture: string }>(
      await output('skopeo', ['inspect', '--override-arch', 'arm64', `oci-archive:${at('one.tar')}`]),
    );
    assert.equal(one.Architecture, 'arm64');
  });
}
