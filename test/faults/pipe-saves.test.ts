import assert from 'node:assert/strict';
import { readFileSync, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { readersThatAccept } from '../fixtures/cut-archive.js';
import { seededRandom } from '../fixtures/seeded.js';
import { until } from '../fixtures/until.js';
import { waitsForPipe } from '../fixtures/waiting.js';
import { chosenOfEach, forEachPoint, IS_ALL, IS_LONG, reportCounts, SEED } from './form.js';
import {
  buildSaveScene,
  callsOfSave,
  copyOfScene,
  damageBlob,
  saveWith,
  startSave,
  wrongSave,
  wrongStore,
  type SaveResult,
} from './pipe-saves.js';
import type { Point } from './traced-calls.js';

const LEFT = { skip: !IS_ALL && 'left to npm run test:all' };

/** Points of each kind of fault in the short form. */
const SHORT = 8;
const TIMES = IS_LONG ? 100 : 8;

const FAULTS = [
  ['error=EIO', [8, 141]],
  ['signal=SIGKILL', [137, 'SIGKILL']],
] as const;

test(
  'a save into a pipe with a fault at any call ends its archive inside an entry, or writes it whole',
  LEFT,
  async (t) => {
    if (!requireTool(t, 'strace')) return;
    const scene = await buildSaveScene(t);
    const points = (await callsOfSave(scene)).map(({ name, nth }): Point => ({ name, nth }));
    assert.ok(points.some(({ name }) => name === 'splice') && points.some(({ name }) => name === 'poll'));
    for (const [what, statuses] of FAULTS) {
      const some = chosenOfEach(points, ({ name }) => name, SHORT, what);
      const isKill = what.startsWith('signal');
      const results = await forEachPoint(some, async (point) => {
        const result = await saveWith(scene, point, what);
        return { point, result, wrong: result.isOurs || isKill ? wrongSave(scene, result, statuses) : [] };
      });
      const wrong = results.flatMap(({ point, wrong }) =>
        wrong.map((text) => `${what}, ${point.name} ${point.nth}: ${text}`),
      );
      const isLeft = isKill || results.some(({ result }) => !result.isOurs);
      wrong.push(...(await wrongStore(scene, isLeft)));
      const failed = results.filter(({ result }) => result.isOurs && result.status !== 0).length;
      reportCounts(t, `saves into a pipe, ${what}`, { of: points.length, failed, violations: wrong.length });
      assert.deepEqual(wrong, []);
      assert.ok(failed > 0);
    }
  },
);

/** Errors of the kernel that are none: the save goes on without the call, or makes it once more. */
const HARMLESS = [
  ['splice', 'error=EINVAL', 'a file system that cannot splice'],
  ['splice', 'error=EINTR:when=1..3', 'signals'],
  ['poll', 'error=EINTR:when=1..3', 'signals'],
] as const;

test('a save into a pipe goes on where calls are refused, or interrupted by a signal', LEFT, async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildSaveScene(t);
  for (const [name, what, why] of HARMLESS) {
    const [error = '', nth = 'when=1+'] = what.split(':');
    const result = await saveWith(scene, { name, nth: nth.slice('when='.length) }, error as `error=${string}`);
    assert.deepEqual([result.status, wrongSave(scene, result, [])], [0, []], why);
  }
  const enlarged = (await callsOfSave(scene)).filter(({ text }) => text.includes('F_SETPIPE_SZ'));
  assert.ok(enlarged.length > 0);
  for (const error of ['error=EPERM', 'error=EBUSY'] as const) {
    for (const call of enlarged.slice(0, 2)) {
      const result = await saveWith(scene, call, error);
      assert.deepEqual([result.status, wrongSave(scene, result, [])], [0, []], error);
    }
  }
});

test('a save into a pipe whose reader goes away at any byte ends with 141', LEFT, async (t) => {
  const scene = await buildSaveScene(t);
  const random = seededRandom(`${SEED} pipe reader`);
  const offsets = Array.from({ length: TIMES }, () => random.int(scene.whole.length));
  const violations = await forEachPoint(offsets, async (bytes) => {
    const { status, stderr } = await startSave(scene, `head -c ${bytes} >"$OUT"`).result();
    // Status 0: all the rest fitted the pipe.
    return status === 141 || status === 0 ? [] : [`gone after ${bytes}: ended with ${status}: ${stderr}`];
  });
  reportCounts(t, 'reader of a pipe gone', { offsets: offsets.length, violations: violations.flat().length });
  assert.deepEqual([...violations.flat(), ...(await wrongStore(scene))], []);
});

const STATUS = { INT: 130, TERM: 143, HUP: 129 } as const;

test('a save into a pipe that receives a signal at any byte ends its archive inside an entry', LEFT, async (t) => {
  const scene = await buildSaveScene(t);
  const random = seededRandom(`${SEED} pipe signals`);
  const aborts = Array.from({ length: TIMES }, () => ({
    signal: random.pick(['INT', 'TERM', 'HUP'] as const),
    bytes: random.int(scene.whole.length),
  }));
  const results = await forEachPoint(aborts, async ({ signal, bytes }) => {
    const save = startSave(scene, `{ head -c ${bytes}; kill -s ${signal} $$; exec cat; } >"$OUT"`);
    const result = await save.result();
    const wrong = wrongSave(scene, result, [STATUS[signal]]).map((text) => `${signal} after ${bytes}: ${text}`);
    return { isAborted: result.status !== 0, wrong };
  });
  const wrong = [...results.flatMap(({ wrong }) => wrong), ...(await wrongStore(scene))];
  const aborted = results.filter(({ isAborted }) => isAborted).length;
  reportCounts(t, 'signals, save into a pipe', {
    aborted,
    untouched: aborts.length - aborted,
    violations: wrong.length,
  });
  assert.deepEqual(wrong, []);
  assert.ok(aborted > 0);
});

/** A reader that stops itself after so many bytes, when the save cannot have written everything. */
const stopping = (bytes: number): string =>
  `{ head -c ${bytes}; echo $BASHPID >"$OUT.pid"; kill -s STOP $BASHPID; exec cat; } >"$OUT"`;

/** Starts a save, and returns it when its reader has stopped and the save waits for room in the pipe. */
async function stoppedSave(scene: Parameters<typeof startSave>[0], bytes: number) {
  const save = startSave(scene, stopping(bytes));
  const file = `${save.out}.pid`;
  await until(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'), 'the reader has stopped');
  await until(() => waitsForPipe(save.pid), 'the save waits for its reader');
  return { save, goOn: () => process.kill(Number(readFileSync(file, 'utf8')), 'SIGCONT') };
}

test('a save waits for a reader that stands still, and goes on with it', async (t) => {
  const scene = await buildSaveScene(t);
  for (const bytes of [0, 1000, 5_000_000]) {
    const { save, goOn } = await stoppedSave(scene, bytes);
    goOn();
    const result = await save.result();
    assert.deepEqual([result.status, wrongSave(scene, result, [])], [0, []]);
  }
});

for (const [signal, status] of Object.entries(STATUS)) {
  test(`a save whose reader stands still ends after SIG${signal}, with ${status}`, LEFT, async (t) => {
    const scene = await buildSaveScene(t);
    for (const bytes of [0, 5_000_000]) {
      const { save, goOn } = await stoppedSave(scene, bytes);
      process.kill(save.pid, `SIG${signal}` as NodeJS.Signals);
      await until(() => !existsSync(`/proc/${save.pid}/task`) || save.hasExited(), 'the save has ended');
      goOn();
      const result = await save.result();
      assert.equal(result.status, status);
      assert.deepEqual(wrongSave(scene, result, [status]), []);
      assert.deepEqual(await wrongStore(scene), []);
    }
  });
}

test('no reader of tar takes an archive for whole if a blob was damaged on disk', async (t) => {
  if (!requireTool(t, 'tar')) return;
  const scene = await buildSaveScene(t);
  const random = seededRandom(`${SEED} damage`);
  const blobs = scene.entries.filter(({ name, size }) => name.startsWith('blobs/') && size > 0);
  const some = chosenOfEach(blobs, ({ size }) => String(size.toString().length), SHORT, 'damage');
  assert.deepEqual(
    await readersThatAccept(await kept(scene.whole, scene.folder)).then((found) => found.includes('tar')),
    true,
  );
  const wrong = await forEachPoint(some, async ({ digest, size }, at) => {
    const copy = await copyOfScene(scene, `damaged-${at}`);
    await damageBlob(copy, digest, [0, size - 1, random.int(size)][at % 3] ?? 0);
    const result: SaveResult = await startSave(copy, 'exec cat >"$OUT"').result();
    // Nothing at all is no archive, though some readers take it for an empty one.
    const isNothing = result.archive.length === 0;
    const accepting = isNothing ? [] : await readersThatAccept(await kept(result.archive, copy.folder));
    return [
      ...(result.status === 0 ? ['status 0'] : wrongEnd(copy, result)),
      ...accepting.map((reader) => `${reader} takes it for whole`),
    ].map((text) => `${digest} of ${size} bytes: ${text}`);
  });
  reportCounts(t, 'damaged blobs, save into a pipe', { blobs: some.length, violations: wrong.flat().length });
  assert.deepEqual(wrong.flat(), []);
});

/** A damaged document is found when the export is planned, before the first byte. */
function wrongEnd(scene: Parameters<typeof wrongSave>[0], result: SaveResult): readonly string[] {
  const { whole, ...rest } = scene;
  // Bytes of the damaged blob may have gone out before its hash was known.
  const sent = Buffer.concat([result.archive, whole.subarray(result.archive.length)]);
  return wrongSave({ whole: sent, ...rest }, result, [5]);
}

async function kept(archive: Buffer, folder: string): Promise<string> {
  const file = `${folder}/kept.tar`;
  await writeFile(file, archive);
  return file;
}
