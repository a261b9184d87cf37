import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog, type EngineEvent } from '../../src/server/event-log.js';

test('keeps the last 256 events', () => {
  let time = 0;
  const log = new EventLog(() => time);
  for (time = 1; time <= 300; time += 1) log.emit('tag', `id${time}`, {});
  const kept = log.since(0);
  assert.equal(kept.length, 256);
  assert.deepEqual([kept[0]?.Actor.ID, kept.at(-1)?.Actor.ID], ['id45', 'id300']);
});

test('calls listeners until they stop listening', () => {
  const log = new EventLog(() => 1500);
  const heard: EngineEvent[] = [];
  const stop = log.listen((event) => void heard.push(event));
  log.emit('load', 'a', { name: 'app:1' });
  stop();
  log.emit('load', 'b', {});
  assert.deepEqual(heard, [
    {
      Type: 'image',
      Action: 'load',
      Actor: { ID: 'a', Attributes: { name: 'app:1' } },
      scope: 'local',
      time: 1,
      timeNano: 1_500_000_000,
    },
  ]);
});
