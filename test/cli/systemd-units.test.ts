import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { jsonOf, workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand, runLading } from '../fixtures/command.js';
import { flipBit } from '../fixtures/damage.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';

const FOLDER = path.join(projectRoot(), 'examples', 'systemd');
const UNITS = [
  'lading-backup.service',
  'lading-backup.timer',
  'lading-prune.service',
  'lading-prune.timer',
  'lading.service',
  'lading.socket',
];

/** The settings of a unit, `Section.Key` to all its values. */
function settingsOf(unit: string): ReadonlyMap<string, readonly string[]> {
  const settings = new Map<string, string[]>();
  let section = '';
  for (const line of readFileSync(path.join(FOLDER, unit), 'utf8').split('\n')) {
    const [, header, key, value = ''] = /^(?:\[([A-Z][a-z]+)\]|([A-Za-z]+)=(.*)|#.*|)$/.exec(line) ?? assert.fail(line);
    if (header !== undefined) section = header;
    if (key === undefined) continue;
    const name = `${section}.${key}`;
    settings.set(name, [...(settings.get(name) ?? []), value]);
  }
  return settings;
}

test('has the units that its README names', () => {
  assert.deepEqual(readdirSync(FOLDER).toSorted(), ['README.md', ...UNITS].toSorted());
  const readme = readFileSync(path.join(FOLDER, 'README.md'), 'utf8');
  for (const unit of UNITS) assert.ok(readme.includes(unit), unit);
});

test('gives all services the same user and the same rules', () => {
  const own = /^Service\.(?:Type|ExecStart|Restart|TimeoutStopSec|LimitNOFILE|Nice|IOSchedulingClass)$/;
  const [serve, prune, backup] = ['lading.service', 'lading-prune.service', 'lading-backup.service'].map((unit) =>
    [...settingsOf(unit)].filter(([name]) => name.startsWith('Service.') && !own.test(name)),
  );
  assert.deepEqual(serve, prune);
  const withFolder = serve?.map(([name, values]) => {
    return [name, name === 'Service.StateDirectory' ? ['lading lading-backup'] : values];
  });
  assert.deepEqual(backup, withFolder);
  const rules = new Map(serve);
  for (const [name, value] of Object.entries({
    DynamicUser: 'yes',
    StateDirectory: 'lading',
    UMask: '0077',
    NoNewPrivileges: 'yes',
    ProtectSystem: 'strict',
    PrivateTmp: 'yes',
    PrivateNetwork: 'yes',
    RestrictAddressFamilies: 'AF_UNIX',
  })) {
    assert.deepEqual([name, rules.get(`Service.${name}`)], [name, [value]]);
  }
  assert.equal(rules.has('Service.MemoryDenyWriteExecute'), false);
  assert.equal(rules.has('Service.ProcSubset'), false);
});

test('waits for the server to stop longer than the server waits for transfers', () => {
  const settings = settingsOf('lading.service');
  const [command = ''] = settings.get('Service.ExecStart') ?? [];
  const [limit = ''] = settings.get('Service.TimeoutStopSec') ?? [];
  const grace = Number(/--stop-timeout (\d+)s/.exec(command)?.[1]);
  assert.ok(grace > 0 && Number.parseInt(limit, 10) > grace);
});

test('runs commands that lading knows', async (t) => {
  const { store } = await workspace(t);
  for (const unit of ['lading.service', 'lading-prune.service']) {
    const [command = ''] = settingsOf(unit).get('Service.ExecStart') ?? [];
    const args = command.replace('${STATE_DIRECTORY}/store', store).split(' ').slice(1);
    const { run } = await workspace(t);
    const { status, stderr } = await run([...args, '--json']);
    // No sockets are passed here: the server reads its options, and refuses for that reason alone.
    const expected = unit === 'lading.service' ? [2, '--host fd:// needs sockets'] : [0, ''];
    const said = stderr === '' ? '' : jsonOf<{ error: { message: string } }>(stderr).error.message.slice(0, 26);
    assert.deepEqual([status, said], expected);
  }
});

test('the backup writes an archive and reads it back; with a damaged layer the one before stays', async (t) => {
  const { folder, store, state } = await workspace(t, { loaded: true });
  const backup = path.join(folder, 'lading-backup');
  await mkdir(backup);
  await mkdir(path.join(folder, 'lading'));
  await symlink(store, path.join(folder, 'lading', 'store'));
  const commands = (settingsOf('lading-backup.service').get('Service.ExecStart') ?? []).map((command) =>
    command.replaceAll('%S', folder).split(' ').slice(1),
  );
  assert.equal(commands.length, 2);
  for (const command of commands) assert.equal((await runLading(command)).status, 0);
  const before = readFileSync(path.join(backup, 'images.tar'));
  const { blobs } = await state();
  for (const digest of blobs) await flipBit(path.join(store, 'blobs', 'sha256', digest.slice('sha256:'.length)));
  assert.notEqual((await runLading(commands[0] ?? [])).status, 0);
  assert.deepEqual(readdirSync(backup), ['images.tar']);
  assert.deepEqual(readFileSync(path.join(backup, 'images.tar')), before);
});

/** The units in a folder of their own, with a command that exists. */
async function installed(t: TestContext): Promise<readonly string[]> {
  const folder = await temporaryFolder(t);
  const files = UNITS.map((unit) => path.join(folder, unit));
  for (const file of files) {
    const text = readFileSync(path.join(FOLDER, path.basename(file)), 'utf8');
    await writeFile(file, text.replaceAll('/usr/local/bin/lading', process.execPath));
  }
  return files;
}

test('has no setting that systemd does not know', async (t) => {
  if (!requireTool(t, 'systemd-analyze')) return;
  const { status, stdout, stderr } = await runCommand('systemd-analyze', ['verify', ...(await installed(t))]);
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

test('has a low exposure score', async (t) => {
  if (!requireTool(t, 'systemd-analyze')) return;
  for (const file of await installed(t)) {
    if (!file.endsWith('.service')) continue;
    // The threshold is in tenths, on a scale from 0 to 10.
    const args = ['security', '--offline=true', '--threshold=20', '--no-pager', file];
    const { status, stdout, stderr } = await runCommand('systemd-analyze', args);
    assert.equal(status, 0, stdout + stderr);
  }
});
