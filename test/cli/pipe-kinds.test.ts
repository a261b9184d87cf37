import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { kernel } from '../../src/files/kernel.js';
import { LADING, workspace } from '../fixtures/cli-workspace.js';
import { output, runCommand } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { NOBODY } from '../fixtures/other-user.js';
import { mountTmpfs } from '../fixtures/small-disk.js';
import { projectRoot } from '../fixtures/tables.js';

/*
 * What stdout and stdin can be. The image is large enough for native calls, with layers of every way to write one.
 */

const built = example({ layers: 2, layerBytes: 4_000_000, compression: 'none' });

const sumOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Shell commands that save into `$OUT`, which the test then reads. */
const OUTPUTS: Readonly<Record<string, string>> = {
  'a pipe': '$SAVE | cat >"$OUT"',
  'a named pipe': 'mkfifo "$OUT.pipe"; cat "$OUT.pipe" >"$OUT" & $SAVE >"$OUT.pipe"; wait',
  'a named pipe by -o': 'mkfifo "$OUT.pipe"; cat "$OUT.pipe" >"$OUT" & $SAVE -o "$OUT.pipe"; wait',
  'a file': '$SAVE >"$OUT"',
  'a file behind other bytes': 'printf before >"$OUT"; $SAVE >>"$OUT"; tail -c +7 "$OUT" >"$OUT.2"; mv "$OUT.2" "$OUT"',
  'a pipe of processes that share it': '{ $SAVE; } | { cat; } | cat >"$OUT"',
  'a pipe behind other bytes': '{ printf before; $SAVE; } | tail -c +7 >"$OUT"',
  'a file on another file system': '$SAVE >"$OTHER/out"; mv "$OTHER/out" "$OUT"',
  'a pipe, from a store on another file system':
    'cp -r "$STORE" "$OTHER/store"; $SAVE --store "$OTHER/store" | cat >"$OUT"',
};

for (const native of ['on', 'off']) {
  for (const [what, script] of Object.entries(OUTPUTS)) {
    test(`saves into ${what}, native calls ${native}`, async (t) => {
      const space = await workspace(t, { loaded: true, built });
      const other = script.includes('OTHER') ? await mountTmpfs(t, '100m') : '';
      if (other === undefined) return;
      const expected = await space.run(['save', FAMILIAR]);
      const env = {
        SAVE: `${process.execPath} ${LADING} save ${FAMILIAR}`,
        LADING_STORE: space.store,
        STORE: space.store,
        OUT: space.at('out'),
        OTHER: other,
        LADING_NATIVE: native,
      };
      await output('bash', ['-e', '-o', 'pipefail', '-c', script], { env });
      // What a child process of Node.js has as stdout is a socket.
      assert.equal(sumOf(await readFile(space.at('out'))), sumOf(expected.output));
      const nowhere = await runCommand('bash', ['-c', '$SAVE >/dev/null'], { env });
      assert.deepEqual([nowhere.status, nowhere.stderr], [0, '']);
    });
  }
}

/** A program that takes all pipe memory that its user may have, and then runs a shell command. */
const TAKE_ALL = (folder: string): string => `
import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { kernel } from ${JSON.stringify(pathToFileURL(path.join(projectRoot(), 'dist', 'files', 'kernel.js')).href)};
let refused;
for (let at = 0; at < 500 && refused === undefined; at += 1) {
  const file = ${JSON.stringify(folder)} + '/pipe-' + at;
  execFileSync('mkfifo', [file]);
  const fd = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    kernel().setPipeSize(fd, 1024 * 1024);
  } catch (error) {
    refused = error.code;
  }
}
console.log(refused);
execFileSync('bash', ['-e', '-o', 'pipefail', '-c', process.env.SCRIPT], { stdio: 'inherit' });
`;

test('saves and loads through pipes that may not be enlarged any more', async (t) => {
  if (kernel() === undefined) return t.skip('the package koffi is not here');
  const space = await workspace(t, { loaded: true, built });
  const as = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', process.execPath];
  const probe = await runCommand('setpriv', [...as, LADING, '--version']).catch(() => undefined);
  if (probe?.status !== 0) return t.skip('cannot run as another user');
  await writeFile(space.at('take-all.mjs'), TAKE_ALL(space.folder));
  await output('chown', ['-R', `${NOBODY}:${NOBODY}`, space.folder]);
  const script = `$LADING save ${FAMILIAR} | tee >(sha256sum >&2) | $LADING load --store ${space.at('other')} --json`;
  const env = { LADING: `${process.execPath} ${LADING}`, LADING_STORE: space.store, SCRIPT: script };
  const { status, stdout, stderr } = await runCommand('setpriv', [...as, space.at('take-all.mjs')], { env });
  assert.equal(status, 0, stderr);
  assert.equal(stdout.split('\n')[0], 'EPERM');
  assert.match(stderr, new RegExp(sumOf((await space.run(['save', FAMILIAR])).output)));
});
