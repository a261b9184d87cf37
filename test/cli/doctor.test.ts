import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { checkProgram } from '../../src/cli/doctor-machine.js';
import type { Finding } from '../../src/cli/finding.js';
import { jsonOf, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { requireTool } from '../fixtures/command.js';
import { flipBit } from '../fixtures/damage.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { prepareSsh } from '../fixtures/sshd.js';

/** Takes the variables of the tests away. */
const CLEAN = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith('LADING_'))
    .map((name) => [name, undefined]),
);

const registryOf = sharedRegistry();

interface Diagnosis {
  readonly status: number | null;
  /** `state check: detail` of everything that is not ok. */
  readonly faults: readonly string[];
  readonly findings: readonly Finding[];
}

async function diagnose(
  { run }: Workspace,
  args: readonly string[] = [],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Diagnosis> {
  const { status, stdout } = await run(['doctor', '--json', ...args], { env: { ...CLEAN, ...env } });
  const { findings } = jsonOf<{ findings: readonly Finding[] }>(stdout);
  const faults = findings
    .filter(({ state, check }) => state !== 'ok' && check !== 'native calls')
    .map(({ state, check, detail }) => `${state} ${check}: ${detail}`);
  return { status, faults, findings };
}

test('doctor finds nothing in a sound store, and writes nothing without --write-test', async (t) => {
  const space = await workspace(t, { loaded: true });
  const before = await readdir(space.store, { recursive: true });
  const { status, faults, findings } = await diagnose(space);
  assert.deepEqual([status, faults], [0, []]);
  assert.deepEqual(
    findings.map(({ check }) => check),
    ['node', 'native calls', 'environment', 'store', 'disk', 'clock'],
  );
  assert.deepEqual(await readdir(space.store, { recursive: true }), before);
  const tried = await diagnose(space, ['--write-test']);
  assert.equal(tried.findings.at(-1)?.check, 'write test');
  assert.deepEqual(await readdir(space.store, { recursive: true }), before);
});

test('doctor says so if there is no store yet, and makes none', async (t) => {
  const space = await workspace(t);
  const { status, faults, findings } = await diagnose(space, ['--write-test']);
  assert.deepEqual([status, faults], [0, []]);
  assert.match(findings.find(({ check }) => check === 'store')?.detail ?? '', /the first load makes it$/);
  assert.ok(!(await readdir(space.folder)).includes('store'));
});

/** What is wrong with a store, the exit status, and the fault that is told. */
const FAULTS: readonly (readonly [what: string, harm: (space: Workspace) => Promise<void>, status: number, RegExp])[] =
  [
    ['others may write to', async ({ store }) => await chmod(store, 0o777), 0, /^warning store: .*others may write to/],
    [
      'has a list from the future',
      async ({ store }) => await utimes(path.join(store, 'index.json'), 1, Date.now() / 1000 + 9000),
      0,
      /^warning clock: the list of images is \d+ s in the future$/,
    ],
    [
      'lost a damaged blob',
      async ({ run, store, built }) => {
        const { layers = [] } = built.blobs.links(built.of('linux/amd64').digest);
        await flipBit(path.join(store, 'blobs', 'sha256', layers[0]!.digest.slice('sha256:'.length)));
        assert.equal((await run(['verify'])).status, 5);
      },
      1,
      /^failed damage: 1 blobs were damaged and are missing$/,
    ],
    [
      'has content that no image needs',
      async ({ run, store, built }) => {
        assert.equal((await run(['rm', built.root.digest])).status, 0);
        const file = path.join(store, 'blobs', 'sha256', 'a'.repeat(64));
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, 'x'.repeat(5000));
        await utimes(file, 1, 1);
      },
      0,
      /^warning leftovers: 5\.00 kB that no image needs$/,
    ],
    [
      'has the leftovers of an interrupted load',
      async ({ run, archive, built }) => {
        assert.equal((await run(['rm', built.root.digest])).status, 0);
        const cut = await run(['load'], { input: (await readFile(archive)).subarray(0, -2000) });
        assert.equal(cut.status, 5);
      },
      0,
      /^warning leftovers: .* of interrupted loads, kept for a new try$/,
    ],
    [
      'is a folder of something else',
      async ({ store }) => {
        await rm(store, { recursive: true });
        await mkdir(store);
        await writeFile(path.join(store, 'letter.txt'), 'Dear Sir');
      },
      1,
      /^failed store: .* is not empty and is not a Lading store$/,
    ],
    [
      'has a strange file among its leases',
      async ({ store }) => void (await mkdir(path.join(store, '.lading', 'leases', 'folder'), { recursive: true })),
      1,
      /^failed leases: .*folder.* is not a file of the store$/,
    ],
  ];

for (const [what, harm, status, message] of FAULTS) {
  test(`doctor tells of a store that ${what}`, async (t) => {
    const space = await workspace(t, { loaded: true });
    await harm(space);
    const found = await diagnose(space, ['--write-test']);
    assert.equal(found.status, status);
    assert.match(found.faults.join('\n'), message);
    for (const { state, remedy } of found.findings) assert.ok(state === 'ok' || remedy !== undefined);
    const strict = await space.run(['doctor', '--strict'], { env: CLEAN });
    assert.equal(strict.status, found.faults.length > 0 ? 1 : 0);
  });
}

test('doctor tells of a variable that is none of ours, and of native calls that are off', async (t) => {
  const space = await workspace(t);
  const { faults, findings } = await diagnose(space, [], { LADING_STOER: 'x', LADING_NATIVE: 'off' });
  assert.deepEqual(faults, ['warning environment: LADING_STOER is none of ours, and does nothing']);
  assert.ok(findings.some(({ check, state }) => check === 'native calls' && state === 'warning'));
});

test('doctor judges the version of Node', () => {
  for (const [version, state] of [
    ['v20.18.3', 'failed'],
    ['v18.20.0', 'failed'],
    ['v20.19.0', 'ok'],
    ['v22.0.0', 'ok'],
  ] as const) {
    assert.equal(checkProgram(version, {})[0]?.state, state, version);
  }
});

test('doctor asks registries', async (t) => {
  const registry = await registryOf(t);
  if (registry === undefined) return;
  const space = await workspace(t);
  const asked = ['--registry', registry.host, '--registry', 'localhost:1', '--retry-times', '1'];
  const { status, faults, findings } = await diagnose(space, asked);
  assert.equal(status, 1);
  assert.deepEqual(
    findings.slice(-2).map(({ check, state }) => [check, state]),
    [
      [`registry ${registry.host}`, 'ok'],
      ['registry localhost:1', 'failed'],
    ],
  );
  assert.match(faults.join('\n'), /nothing listens there/);
});

test('doctor asks another machine by ssh, and takes its name for no option', async (t) => {
  if (!requireTool(t, 'ssh', 'sshd')) return;
  const space = await workspace(t);
  const bin = space.at('bin');
  await mkdir(bin);
  await writeFile(path.join(bin, 'lading'), '#!/bin/sh\necho 9.9.9\n', { mode: 0o755 });
  await prepareSsh(space.folder, bin, {});
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const found = await diagnose(space, ['--ssh', 'host', '--ssh', '-oProxyCommand=touch x'], env);
  assert.deepEqual(
    found.findings.slice(-2).map(({ state, detail }) => [state, state === 'ok' ? detail : '']),
    [
      ['ok', 'lading 9.9.9'],
      ['failed', ''],
    ],
  );
});
