import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../fixtures/tables.js';

const read = (file: string): string => readFileSync(path.join(projectRoot(), file), 'utf8');

/** The rows of `docs/advisories.md`: an identifier, the file of a test, and the name of the test. */
const ROWS = [...read('docs/advisories.md').matchAll(/^\| (CVE-\S+) .*\| `(test\/\S+\.ts)`: (.+?) *\|$/gm)];

test('docs/advisories.md names an identifier and a test in every row', () => {
  const rows = read('docs/advisories.md')
    .split('\n')
    .filter((line) => line.startsWith('| CVE'));
  assert.equal(ROWS.length, rows.length);
  assert.ok(ROWS.length >= 20);
  for (const [, identifier = ''] of ROWS) assert.match(identifier, /^CVE-\d{4}-\d{4,}$/);
});

for (const [, identifier, file = '', name = ''] of ROWS) {
  test(`${identifier} is covered by a test that exists: ${name}`, () => {
    assert.ok(read(file).includes(name), `${file} has no test "${name}"`);
  });
}
