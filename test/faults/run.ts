import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { COUNTED } from './form.js';

/*
 * The long form, `npm run faults`: runs every fault test with all of its points. At the end it adds up what was tried,
 * what was wrong, and what was skipped.
 */

/** A bound for tests that hang: the longest test takes minutes, on a slow machine many. */
const TIMEOUT_MS = 60 * 60 * 1000;

const folder = path.dirname(fileURLToPath(import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.test.js'));
const totals = new Map<string, Map<string, number>>();
let failed = 0;

const tests = run({ files: files.map((name) => path.join(folder, name)), concurrency: 1, timeout: TIMEOUT_MS })
  .on('test:fail', () => (failed += 1))
  .on('test:diagnostic', ({ message }) => count(message));
tests.once('end', () => {
  for (const [what, counts] of totals) {
    console.log(`${what}: ${[...counts].map(([name, sum]) => `${name} ${sum}`).join(', ')}`);
  }
  process.exitCode = failed > 0 ? 1 : 0;
});
tests.compose(new spec()).pipe(process.stdout);

/** Adds up the lines of `reportCounts`: `faults: WHAT, DETAILS: NAME NUMBER, NAME NUMBER (...)`. */
function count(message: string): void {
  if (!message.startsWith(COUNTED)) return;
  const [, what = '', list = ''] = /^([^:,]+)[^:]*: (.*) \(/.exec(message.slice(COUNTED.length)) ?? [];
  const counts = totals.get(what) ?? new Map<string, number>();
  totals.set(what, counts);
  for (const [, name = '', number] of list.matchAll(/([a-z]+) ([\d.]+)/g)) {
    counts.set(name, (counts.get(name) ?? 0) + Number(number));
  }
}
