import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Shown } from '../../src/cli/progress/progress-state.js';
import { ProgressState } from '../../src/cli/progress/progress-state.js';
import { viewLines } from '../../src/cli/progress/progress-view.js';
import { TerminalProgress } from '../../src/cli/progress/terminal-progress.js';
import { PlainProgress } from '../../src/cli/progress/plain-progress.js';

const LAYER = `sha256:6b2897d953a8${'0'.repeat(52)}`;

const SHOWN: Shown = {
  op: 'save',
  image: 'example/application:1.2.3',
  platform: 'linux/arm64/v8',
  current: 527_000_000,
  total: 1_230_000_000,
  percent: 42,
  rate: 310_000_000,
  etaMs: 2600,
  active: [{ id: LAYER, kind: 'layer', current: 127_000_000, total: 400_000_000 }],
};

function drawn(columns: number, isUnicode = true, shown: Shown = SHOWN): readonly string[] {
  return viewLines(shown, { columns, isUnicode });
}

test('loses the bar, the bytes, the name, and the rate, as the terminal gets narrower', () => {
  assert.deepEqual(drawn(120), [
    'example/application:1.2.3 linux/arm64/v8      ▕████████████▊                 ▏  42%  527 MB / 1.23 GB  310 MB/s  ETA 3s',
    `  layer sha256:6b2897d953a8${' '.repeat(77)}127 MB / 400 MB`,
  ]);
  assert.ok(drawn(120, false)[0]?.includes('[############------------------]  42%'));
  assert.equal(drawn(99)[0], 'example/application:1.2.3 linux/arm64/v8  42%  527 MB / 1.23 GB  310 MB/s  ETA 3s');
  assert.equal(drawn(80)[0], 'example/application:1.… linux/arm64/v8  42%  527 MB / 1.23 GB  310 MB/s  ETA 3s');
  assert.equal(drawn(56)[0], 'example/applicat… linux/arm64/v8  42%  310 MB/s  ETA 3s');
  assert.equal(drawn(33)[0], 'example/app… linux/arm64/v8  42%');
  assert.equal(drawn(20)[0], 'example/appli…  42%');
});

const BYTES = fc.nat({ max: 5_000_000_000_000 });
const TEXT = fc.oneof(
  fc.string({ maxLength: 80, unit: 'binary' }),
  fc.constantFrom('example/app:1', '\x1B[2J', 'a'.repeat(300)),
);

const SHOWNS = fc.record({
  op: fc.constantFrom('save', 'load', 'copy', 'verify'),
  image: fc.option(TEXT, { nil: undefined }),
  platform: fc.option(fc.constantFrom('linux/amd64', 'windows(10.0.17763.1)/amd64', 'linux/arm/v7'), {
    nil: undefined,
  }),
  current: BYTES,
  total: BYTES,
  percent: fc.nat({ max: 100 }),
  rate: BYTES,
  etaMs: fc.option(BYTES, { nil: undefined }),
  active: fc.array(
    fc.record({ id: TEXT, kind: fc.constantFrom('layer', 'other' as const), current: BYTES, total: BYTES }),
    { maxLength: 20 },
  ),
});

test('no line is as wide as the terminal, and the percentage is always there', () => {
  fc.assert(
    fc.property(SHOWNS, fc.integer({ min: 20, max: 200 }), fc.boolean(), (shown, columns, isUnicode) => {
      const lines = drawn(columns, isUnicode, shown);
      assert.ok(lines.length <= 7, `${lines.length} lines`);
      for (const line of lines) {
        assert.ok(line.length < columns, `${line.length} of ${columns}: ${line}`);
        assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }
      assert.match(lines[0] ?? '', new RegExp(`${shown.percent}%`));
      const hidden = shown.active.length - (lines.length - 1);
      if (hidden > 0) assert.equal(lines.at(-1), `  and ${hidden + 1} more`);
    }),
  );
});

test('shows bytes and rate while the total is unknown', () => {
  const { total: _, percent: __, ...unknown } = SHOWN;
  for (const columns of [20, 33, 34, 60, 100, 200]) assert.match(drawn(columns, true, unknown)[0] ?? '', /527 MB/);
  assert.match(drawn(80, true, unknown)[0] ?? '', /527 MB {2}310 MB\/s$/);
});

test('the percentage never falls', () => {
  const state = new ProgressState('load');
  const tell = (current: number, total: number): number | undefined => {
    state.take({ type: 'progress', current, total, rate: 0, active: [] });
    return state.shown.percent;
  };
  assert.deepEqual([tell(50, 100), tell(50, 1000), tell(100, 100), tell(0, 0)], [50, 50, 100, 100]);
});

/** A terminal that keeps what was written. */
class FakeTerminal {
  columns = 80;
  text = '';
  resized: (() => void) | undefined;
  write(text: string): void {
    this.text += text;
  }
  on(_event: 'resize', listener: () => void): void {
    this.resized = listener;
  }
  off(): void {
    this.resized = undefined;
  }
}

const BYTES_EVENT = {
  type: 'progress',
  current: 1,
  total: 2,
  rate: 1,
  active: [{ id: LAYER, current: 1, total: 2 }],
} as const;

test('draws nothing in the first half second, redraws its own lines, and takes them away', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const view = new TerminalProgress(terminal, 'save', { isUnicode: false, now: () => now });
  now = 499;
  view.take(BYTES_EVENT);
  assert.equal(terminal.text, '');
  now = 500;
  view.take(BYTES_EVENT);
  const lines = terminal.text.split('\n').length;
  assert.equal(lines, 2);
  assert.ok(!terminal.text.includes('\x1B'));
  terminal.text = '';
  view.take(BYTES_EVENT);
  assert.ok(terminal.text.startsWith('\r\x1B[1A\x1B[J'));
  terminal.text = '';
  view.end();
  assert.equal(terminal.text, '\r\x1B[1A\x1B[J');
  assert.equal(terminal.resized, undefined);
});

test('starts afresh below after a resize', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const view = new TerminalProgress(terminal, 'save', { isUnicode: false, now: () => now });
  terminal.resized?.();
  assert.equal(terminal.text, '');
  now = 1000;
  view.take(BYTES_EVENT);
  terminal.text = '';
  terminal.resized?.();
  assert.equal(terminal.text, '\n');
  terminal.text = '';
  view.take(BYTES_EVENT);
  assert.ok(!terminal.text.includes('\x1B'));
});

test('prints a line each 30 seconds or 10 percent, whichever is later', () => {
  const lines: string[] = [];
  let now = 0;
  const plain = new PlainProgress(
    (line) => lines.push(line),
    'save',
    () => now,
  );
  plain.take({ type: 'start', schema: 'dev.lading.progress.v1', op: 'save', total: 1_230_000_000, images: [] });
  for (const [at, current, etaMs] of [
    [10_000, 50_000_000, 3000],
    [31_000, 60_000_000, 3000],
    [40_000, 527_000_000, 3000],
    [50_000, 1_100_000_000, 1000],
    [71_000, 1_200_000_000, undefined],
  ] as const) {
    now = at;
    const eta = etaMs === undefined ? {} : { etaMs };
    plain.take({ type: 'progress', current, total: 1_230_000_000, rate: 310_000_000, ...eta, active: [] });
  }
  now = 72_000;
  plain.end({ status: 0 });
  assert.deepEqual(lines, [
    'save started, 1.23 GB',
    'save 42 %, 527 MB of 1.23 GB, 310 MB/s, 3 s left',
    'save 97 %, 1.20 GB of 1.23 GB, 310 MB/s',
    'save done, 1.20 GB in 1m 12s',
  ]);
});
