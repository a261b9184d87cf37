import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { LADING, startLading, statusOf, workspace } from '../fixtures/cli-workspace.js';
import { output, requireTool, runCommand } from '../fixtures/command.js';
import { FAMILIAR } from '../fixtures/example.js';
import { asNobody } from '../fixtures/other-user.js';
import { bytesOf } from '../fixtures/saved-archive.js';

/** The permissions of a file, in octal. */
async function modeOf(file: string): Promise<string> {
  return ((await stat(file)).mode & 0o7777).toString(8);
}

test('saves to a file whose name is as long as a name can be, and refuses a longer one', async (t) => {
  const { run, at } = await workspace(t, { loaded: true });
  for (const length of [212, 213, 255]) {
    const file = at('n'.repeat(length));
    const { status, stderr } = await run(['save', '-o', file, FAMILIAR]);
    assert.deepEqual([status, stderr], [0, ''], String(length));
    assert.ok((await stat(file)).size > 0);
  }
  assert.equal((await run(['save', '-o', at('n'.repeat(256)), FAMILIAR])).status, 8);
  assert.equal((await run(['save', '-o', `${at('new')}/`, FAMILIAR])).status, 2);
  assert.deepEqual(
    (await readdir(at('.'))).filter((name) => name.includes('part')),
    [],
  );
});

test('keeps the mode of a file that it replaces, and gives a new file that of the umask', async (t) => {
  if (!requireTool(t, 'sh')) return;
  const { store, at } = await workspace(t, { loaded: true });
  const save = async (umask: string, file: string): Promise<void> => {
    const script = `umask ${umask}; exec "$@"`;
    const command = [process.execPath, LADING, 'save', '--store', store, '-o', file, FAMILIAR];
    await output('sh', ['-c', script, 'sh', ...command]);
  };
  for (const mode of [0o600, 0o640, 0o666, 0o444]) {
    const file = at(`old-${mode}`);
    await writeFile(file, 'old');
    await chmod(file, mode);
    await save('022', file);
    assert.equal(await modeOf(file), mode.toString(8));
    assert.notEqual(await readFile(file, 'utf8'), 'old');
  }
  for (const [umask, mode] of Object.entries({ '000': '666', '022': '644', '077': '600', '277': '400' })) {
    await save(umask, at(`new-${umask}`));
    assert.equal(await modeOf(at(`new-${umask}`)), mode, umask);
  }
});

test('loads, saves and removes under a umask that takes every right, as a user without rights', async (t) => {
  const { folder, store, archive, at } = await workspace(t);
  if ((await asNobody(t, folder)) === undefined) return;
  const as = ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'sh', '-c', 'umask 0277; exec "$@"', 'sh'];
  for (const args of [
    ['load', '-i', archive],
    ['save', '-o', at('saved.tar'), FAMILIAR],
    ['rm', FAMILIAR],
    ['load', '-i', at('saved.tar')],
    ['prune', '--grace', '0'],
    ['verify'],
  ]) {
    await output('setpriv', [...as, process.execPath, LADING, ...args, '--store', store]);
  }
});

test('gives a file that it replaces to the owner of the old one', async (t) => {
  if (process.geteuid?.() !== 0) return t.skip('needs root');
  const { run, at } = await workspace(t, { loaded: true });
  await writeFile(at('out.tar'), 'old');
  await output('chown', ['65534:65534', at('out.tar')]);
  assert.equal((await run(['save', '-o', at('out.tar'), FAMILIAR])).status, 0);
  const { uid, gid } = await stat(at('out.tar'));
  assert.deepEqual([uid, gid], [65_534, 65_534]);
});

test('follows a link to the file, whether the file exists or not', async (t) => {
  const { run, at } = await workspace(t, { loaded: true });
  await mkdir(at('far'));
  await mkdir(at('near'));
  await writeFile(at('far/old.tar'), 'old');
  const links = { 'near/absolute': at('far/old.tar'), 'near/relative': '../far/old.tar', 'near/new': '../far/new.tar' };
  for (const [link, target] of Object.entries(links)) await symlink(target, at(link));
  await symlink('absolute', at('near/twice'));
  await symlink('near', at('folder'));
  await symlink('loop', at('loop'));
  for (const link of ['near/absolute', 'near/relative', 'near/new', 'near/twice', 'folder/new']) {
    await writeFile(at('far/old.tar'), 'old');
    const { status, stderr } = await run(['save', '-o', at(link), FAMILIAR]);
    assert.deepEqual([status, stderr], [0, ''], link);
    assert.ok((await lstat(at(link))).isSymbolicLink(), link);
    const target = link.endsWith('new') ? at('far/new.tar') : at('far/old.tar');
    assert.ok((await stat(target)).size > 3, link);
  }
  assert.equal(await readlink(at('near/new')), '../far/new.tar');
  assert.equal((await run(['save', '-o', at('loop'), FAMILIAR])).status, 8);
  assert.deepEqual((await readdir(at('near'))).toSorted(), ['absolute', 'new', 'relative', 'twice']);
  assert.deepEqual((await readdir(at('far'))).toSorted(), ['new.tar', 'old.tar']);
});

test('writes to /dev/stdout as to stdout, be it a pipe or a file', async (t) => {
  if (!requireTool(t, 'sh')) return;
  const { run, store, at } = await workspace(t, { loaded: true });
  const plain = (await run(['save', FAMILIAR])).output;
  assert.ok((await run(['save', '-o', '/dev/stdout', FAMILIAR])).output.equals(plain));
  const script = '(echo first; "$0" "$1" save --store "$2" -o /dev/stdout "$3"; echo last) > "$4"';
  await output('sh', ['-c', script, process.execPath, LADING, store, FAMILIAR, at('out')]);
  const written = Buffer.concat([Buffer.from('first\n'), plain, Buffer.from('last\n')]);
  assert.ok((await readFile(at('out'))).equals(written));
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`ends at the first ${signal} while a named pipe has no reader`, async (t) => {
    if (!requireTool(t, 'mkfifo')) return;
    const { store, at } = await workspace(t, { loaded: true });
    await output('mkfifo', [at('pipe')]);
    const save = startLading(['save', '--store', store, '-o', at('pipe'), FAMILIAR]);
    let stderr = '';
    save.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = statusOf(save);
    // The lease of the reader shows that the save has planned, and now waits for a reader of the pipe.
    while ((await readdir(`${store}/.lading/leases`)).length === 0) await wait(5);
    await wait(100);
    save.kill(signal);
    assert.equal(await ended, { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 }[signal]);
    assert.match(stderr, /\[ERR_ABORTED\]\n$/);
    assert.ok((await lstat(at('pipe'))).isFIFO());
  });
}

test('writes to a named pipe when its reader comes', async (t) => {
  if (!requireTool(t, 'mkfifo')) return;
  const { run, store, at } = await workspace(t, { loaded: true });
  await output('mkfifo', [at('pipe')]);
  const save = startLading(['save', '--store', store, '-o', at('pipe'), FAMILIAR]);
  const ended = statusOf(save);
  while ((await readdir(`${store}/.lading/leases`)).length === 0) await wait(5);
  const piped = await bytesOf(createReadStream(at('pipe')));
  assert.equal(await ended, 0);
  assert.ok(piped.equals((await run(['save', FAMILIAR])).output));
});

test('ends with 141 when the reader of a named pipe goes away', async (t) => {
  if (!requireTool(t, 'mkfifo', 'bash')) return;
  const { store, at } = await workspace(t, { loaded: true });
  await output('mkfifo', [at('pipe')]);
  const script = 'head -c 100 "$3" > /dev/null & "$0" "$1" save --store "$2" -o "$3" "$4"; echo $?';
  const args = ['-c', script, process.execPath, LADING, store, at('pipe'), FAMILIAR];
  const { stdout, stderr } = await runCommand('bash', args);
  assert.deepEqual([stdout, stderr], ['141\n', '']);
});
