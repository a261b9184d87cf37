import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { LADING, statusOf, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { output } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { until } from '../fixtures/until.js';
import { waitsForPipe } from '../fixtures/waiting.js';

/*
 * The pipes of a shell. What Node.js makes for a child process are sockets, which the command reads and writes as
 * streams.
 */

const built = example({ layers: 2, layerBytes: 4_000_000, compression: 'none' });

const WAYS = [{ LADING_NATIVE: 'on' }, { LADING_NATIVE: 'off' }] as const;

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const;

function shell(script: string, { store, archive }: Workspace, env: object): ChildProcess {
  const names = { LADING: `${process.execPath} ${LADING}`, LADING_STORE: store, ARCHIVE: archive };
  return spawn('bash', ['-o', 'pipefail', '-c', script], {
    env: { ...process.env, ...names, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The exit status, or the signal that ended it: others may still hold its stdout. */
async function exitOf(child: ChildProcess): Promise<number | string> {
  const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return status ?? signal ?? '';
}

async function sumOf(t: TestContext, env: object): Promise<string> {
  const space = await workspace(t, { loaded: true, built });
  const child = shell(`$LADING save ${FAMILIAR} | sha256sum`, space, env);
  let text = '';
  child.stdout?.on('data', (chunk) => (text += String(chunk)));
  assert.equal(await statusOf(child), 0);
  return text.slice(0, 64);
}

test('saves the same bytes into a pipe and into a file', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  await space.run(['save', FAMILIAR, '-o', space.at('file.tar')]);
  const expected = createHash('sha256')
    .update(await readFile(space.at('file.tar')))
    .digest('hex');
  for (const env of WAYS) assert.equal(await sumOf(t, env), expected);
});

for (const env of WAYS) {
  const way = `native calls ${env.LADING_NATIVE}`;

  test(`loads from a pipe, ${way}`, async (t) => {
    for (const from of ['cat "$ARCHIVE"', 'gzip -1 <"$ARCHIVE"', '(head -c 999; sleep 0.3; cat) <"$ARCHIVE"']) {
      const space = await workspace(t, { built });
      assert.equal(await statusOf(shell(`${from} | $LADING load`, space, env)), 0, from);
      assert.deepEqual((await space.state()).blobs, [...built.blobs.keys()].toSorted());
    }
  });

  test(`passes an image from store to store, ${way}`, async (t) => {
    const space = await workspace(t, { loaded: true, built });
    const other = space.at('other');
    const script = `$LADING save ${FAMILIAR} | $LADING load --store ${other}`;
    assert.equal(await statusOf(shell(script, space, env)), 0);
    assert.match(await output(process.execPath, [LADING, 'verify', '--store', other]), /no damage/);
  });

  test(`ends with 141 if the reader of a save goes away, ${way}`, async (t) => {
    const space = await workspace(t, { loaded: true, built });
    assert.equal(await statusOf(shell(`$LADING save ${FAMILIAR} | head -c 100000 >/dev/null`, space, env)), 141);
  });

  // Without native calls nothing shows that it has begun, and before that the signal just ends it.
  const waits = ({ pid = 0 }: ChildProcess): boolean => env.LADING_NATIVE === 'off' || waitsForPipe(pid);

  for (const [signal, status] of SIGNALS) {
    test(`ends with ${status} after ${signal} while the reader of a save stands still, ${way}`, async (t) => {
      const space = await workspace(t, { loaded: true, built });
      const script = `exec 3> >({ head -c 1000 >"${space.at('got')}"; sleep 9; } >&- 2>&-); exec $LADING save ${FAMILIAR} >&3`;
      const child = shell(script, space, env);
      await until(() => existsSync(space.at('got')), 'the save has begun');
      const ended = exitOf(child);
      child.kill(signal);
      // A write that is blocked without native calls is ended by the signal itself.
      const end = await ended;
      assert.ok(end === status || end === signal, String(end));
    });

    test(`ends with ${status} after ${signal} while nothing comes to a load, ${way}`, async (t) => {
      // Before the first header, in a document, in a layer that is kept, and in one that is passed over.
      for (const [sent, args] of [
        [0, ''],
        [700, ''],
        [3_000_000, ''],
        [9_500_000, '--platform linux/amd64'],
      ] as const) {
        const space = await workspace(t, { built });
        const script = `exec $LADING load ${args} < <({ head -c ${sent} "$ARCHIVE"; touch "${space.at('sent')}"; sleep 9; } 2>&-)`;
        const child = shell(script, space, env);
        await until(() => existsSync(space.at('sent')) && waits(child), 'the writer stands still');
        const ended = exitOf(child);
        child.kill(signal);
        const end = await ended;
        assert.ok(end === status || (env.LADING_NATIVE === 'off' && end === signal), String(end));
        assert.deepEqual((await space.state()).images, []);
      }
    });
  }
}
