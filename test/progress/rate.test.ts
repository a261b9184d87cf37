import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rate } from '../../src/progress/rate.js';

test('is the mean of the last five seconds', () => {
  const rate = new Rate(0, 0);
  assert.equal(rate.at(1000, 1000), 1000);
  assert.equal(rate.at(2000, 5000), 2500);
  for (let at = 3000; at <= 7000; at += 1000) rate.at(at, 5000);
  // From 2000 to 7000 nothing moved.
  assert.equal(rate.at(7000, 5000), 0);
});

test('does not count what was there before', () => {
  assert.equal(new Rate(0, 1_000_000).at(1000, 1_000_500), 500);
});

test('tells no time left in the first second, nor when nothing moves', () => {
  const rate = new Rate(0, 0);
  assert.equal(rate.left(999, 100, 100), undefined);
  assert.equal(rate.left(1000, 100, 250), 2500);
  assert.equal(rate.left(6000, 0, 250), undefined);
});

test('holds no more than the samples of its window', () => {
  const rate = new Rate(0, 0);
  for (let at = 1; at < 10_000; at += 1) rate.at(at * 100, at);
  assert.equal(rate.at(1_000_000, 10_000), 10);
  // After a long silence: since the last sample.
  assert.equal(rate.at(2_000_000, 20_000), 10);
});
