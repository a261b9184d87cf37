import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { IS_ALL, reportCounts } from './form.js';
import { commandLine, OPERATIONS, type Operation } from './operations.js';
import { wrongOrder } from './protocol-order.js';
import { buildScene, type Scene } from './scene.js';
import { isInStore, runTraced, type TracedRun } from './traced-calls.js';

const LOADS = OPERATIONS.filter(({ title }) => title.startsWith('load'));
const [INTO_NOTHING] = LOADS as [Operation];

for (const operation of IS_ALL ? LOADS : [INTO_NOTHING]) {
  test(`${operation.title}: every byte and name is durable before the next step relies on it`, async (t) => {
    if (!requireTool(t, 'strace')) return;
    const scene = await buildScene(t);
    const store = await scene.copyOf(operation.template);
    await loadInOrder(t, operation.title, scene, commandLine(operation, scene, store), store);
  });
}

test('a load makes durable what an earlier, killed load had not made durable', async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildScene(t);
  const control = await scene.copyOf('none');
  const line = (store: string): readonly string[] => commandLine(INTO_NOTHING, scene, store);
  const whole = await runTraced(scene.main, line(control), scene.at('whole'));
  const store = await scene.copyOf('none');
  const at = firstSyncOf(whole, `${control}/blobs/sha256`);
  const killed = await runTraced(scene.main, line(store), scene.at('killed'), { at, what: 'signal=SIGKILL' });
  assert.match(killed.calls.findLast(({ name }) => name === 'fsync')?.paths[0] ?? '', /blobs\/sha256$/);
  const names = killed.calls.filter((call) => call.name === 'link' && isInStore(call, `${store}/blobs/sha256`));
  assert.ok(names.length > 5, `${names.length} blobs were there`);
  const again = await loadInOrder(t, 'load again', scene, line(store), store);
  const published = again.calls.findIndex(({ name, paths }) => name === 'link' && paths[1]?.includes('/refs/'));
  const synced = again.calls.slice(0, published).filter(({ name }) => name === 'fsync');
  for (const folder of [`${store}/blobs/sha256`, `${store}/blobs`]) {
    assert.ok(
      synced.some(({ paths }) => paths[0] === folder),
      `${folder} is durable before the images are published`,
    );
  }
});

/** Runs a load to its end and asserts its order. */
async function loadInOrder(
  t: TestContext,
  title: string,
  { main, at }: Scene,
  args: readonly string[],
  store: string,
): Promise<TracedRun> {
  const run = await runTraced(main, args, at('log'));
  assert.equal(run.status, 0, run.stderr);
  const wrong = wrongOrder(run.calls, store);
  reportCounts(t, `order, ${title}`, { calls: run.calls.length, violations: wrong.length });
  assert.deepEqual(wrong, []);
  return run;
}

function firstSyncOf({ calls }: TracedRun, folder: string) {
  const call = calls.find(({ name, paths }) => name === 'fsync' && paths[0] === folder);
  assert.ok(call, `an fsync of ${folder}`);
  return { name: call.name, nth: call.nth };
}
