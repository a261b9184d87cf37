import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageRecord } from '../../../../src/model/image-list.js';
import { ChangeQueue, type PublishChange } from '../../../../src/stores/layout/refs/change-queue.js';
import { BlobSet } from '../../../fixtures/blob-set.js';
import { buildManifest } from '../../../fixtures/manifest-builder.js';

const [descriptor] = [buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 'one' })];

function adding(name: string): (records: readonly ImageRecord[]) => readonly ImageRecord[] {
  return (records) => [...records, { name, descriptor }];
}

/** A list of images that publishes one generation each time `open` is called. */
function gatedList() {
  let records: readonly ImageRecord[] = [];
  const generations: (readonly (string | undefined)[])[] = [];
  const gates: (() => void)[] = [];
  const publish: PublishChange = async (change) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    records = change(records);
    generations.push(records.map(({ name }) => name));
  };
  return { publish, generations, open: () => gates.shift()?.() };
}

test('publishes a single change at once', async () => {
  const { publish, generations, open } = gatedList();
  const queue = new ChangeQueue();
  const done = queue.add(adding('a'), publish);
  open();
  await done;
  assert.deepEqual(generations, [['a']]);
});

test('makes one generation of all waiting changes, in their order', async () => {
  const { publish, generations, open } = gatedList();
  const queue = new ChangeQueue();
  const first = queue.add(adding('a'), publish);
  const others = ['b', 'c', 'd'].map(async (name) => await queue.add(adding(name), publish));
  open();
  await first;
  await Promise.resolve();
  open();
  await Promise.all(others);
  assert.deepEqual(generations, [['a'], ['a', 'b', 'c', 'd']]);
});

test('does not fail other changes if one throws', async () => {
  const { publish, generations, open } = gatedList();
  const queue = new ChangeQueue();
  const refusal = new Error('no');
  const first = queue.add(adding('a'), publish);
  const refused = queue.add(() => {
    throw refusal;
  }, publish);
  const other = queue.add(adding('b'), publish);
  open();
  await first;
  await Promise.resolve();
  open();
  await assert.rejects(refused, refusal);
  await other;
  assert.deepEqual(generations.at(-1), ['a', 'b']);
});

test('fails every change of a generation that cannot be written, then publishes the next', async () => {
  const queue = new ChangeQueue();
  const full = new Error('disk full');
  const failing: PublishChange = async () => await Promise.reject(full);
  await assert.rejects(queue.add(adding('a'), failing), full);
  const { publish, generations, open } = gatedList();
  const next = queue.add(adding('b'), publish);
  open();
  await next;
  assert.deepEqual(generations, [['b']]);
});

test('applies a change again if another process has changed the list', async () => {
  const queue = new ChangeQueue();
  const tried: number[] = [];
  const twice: PublishChange = async (change) => {
    tried.push(change([]).length, change([{ name: 'theirs', descriptor }]).length);
  };
  await queue.add(adding('a'), twice);
  assert.deepEqual(tried, [1, 2]);
});
