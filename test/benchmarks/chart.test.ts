import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toChart } from '../../benchmarks/chart.js';
import { toGrowthChart } from '../../benchmarks/growth-chart.js';
import { CLIENTS } from '../../benchmarks/growth-clients.js';
import type { GrowthRow } from '../../benchmarks/growth-rows.js';
import { toGrowthText } from '../../benchmarks/growth.js';
import type { Results } from '../../benchmarks/report.js';
import type { Outcome } from '../../benchmarks/run-case.js';

const about = {
  lading: '0.0.0',
  node: '20.19.0',
  machine: '2 × a <fast> one',
  rounds: 5,
  archiveBytes: 1e9,
  stores: 'tmpfs',
  archives: 'tmpfs',
};

function outcome(title: string, ratio: number, goal?: number): Outcome {
  const yardstick = { name: 'tar c', samples: [], ratio, ratios: [ratio], ...(goal !== undefined && { goal }) };
  return { name: title, title, facts: [], performances: [{ ...yardstick, name: 'lading', ratio: 1 }, yardstick] };
}

function widths(chart: string, kind: string): number[] {
  return [...chart.matchAll(new RegExp(`class="${kind}" [^>]* width="([\\d.]+)"`, 'g'))].map(([, width]) =>
    Number(width),
  );
}

test('draws a pair of bars for each case with a goal, the longest as wide as there is room', () => {
  const results: Results = {
    about,
    outcomes: [outcome('slow', 0.5, 0.8), outcome('fast', 4, 2), outcome('no goal', 3)],
  };
  const chart = toChart(results);
  assert.deepEqual(widths(chart, 'ours'), [200, 400]);
  assert.deepEqual(widths(chart, 'theirs'), [400, 100]);
  // Bars begin at 300.
  assert.deepEqual(
    [...chart.matchAll(/class="goal" x1="([\d.]+)"/g)].map(([, x]) => Number(x)),
    [620, 500],
  );
});

test('draws the same chart for the same results, as well-formed text', () => {
  const results: Results = { about, outcomes: [outcome('a & b', 0.5, 0.8)] };
  assert.equal(toChart(results), toChart(results));
  assert.match(toChart(results), /a &amp; b/);
  assert.doesNotMatch(toChart(results), /<fast>/);
});

function row(series: string, what: string, seconds: number, rssMib: number): GrowthRow {
  const result = { seconds, rssMib };
  return { series, what, results: { load: result, save: result, plan: result } };
}

test('draws curves of time and memory for each series of a growth, with the goal for memory', () => {
  const rows = [row('MiB', '64', 0.1, 60), row('MiB', '256', 1, 132 / 1.1), row('blobs', '1 < 2', 0.1, 50)];
  const chart = toGrowthChart(rows);
  const curves = [...chart.matchAll(/<polyline [^>]* points="([^"]*)"/g)].map(([, points]) => points);
  // Two series, time and memory, three kinds of work.
  assert.equal(curves.length, 12);
  // Memory at the goal lies on its line: a tenth below the top of 170.
  assert.match(curves[3] ?? '', /^0\.0,92\.7 280\.0,15\.5$/);
  assert.match(chart, /class="goal" x1="0" x2="280" y1="15\.5"/);
  assert.match(chart, /1 &lt; 2/);
  assert.equal(toGrowthChart(rows), chart);
  assert.match(toGrowthText(rows), /MiB +256 +1\.000 +120/);
});

test('draws the growth of clients without a plan, and without the goal of a command', () => {
  const { plan: _, ...results } = row(CLIENTS, '64', 2, 300).results;
  const rows = [row('MiB', '64', 0.1, 60), { series: CLIENTS, what: '64', results }];
  const chart = toGrowthChart(rows);
  assert.equal([...chart.matchAll(/class="goal"/g)].length, 1);
  assert.doesNotMatch(chart, /NaN/);
  assert.match(toGrowthText(rows), /clients with 4 MiB +64 +2\.000 +300 +2\.000 +300 *\n/);
});
