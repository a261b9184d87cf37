import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readNamePattern } from '../../src/trust/name-pattern.js';

const NAMES = [
  'docker.io/library/busybox:1',
  'docker.io/team/app:1.2',
  'registry.example.com/team/app:1.2',
  'registry.example.com/team/app:latest',
  'registry.example.com/team/app/worker:1.2',
  `registry.example.com/team/app@sha256:${'a'.repeat(64)}`,
  'registry.example.com/team:1',
  'registry.example.com/teams/app:1',
  'a.registry.example.com/team/app:1',
  'a.b.example.com/x:1',
  'example.com/x:1',
  'notexample.com/x:1',
  'localhost:5000/team/app:1',
  'registry.example.com:5000/team/app:1',
];

/** Patterns, and the places in the list of the names that fit. */
const MATCHING: readonly (readonly [pattern: string, fits: readonly number[]])[] = [
  ['**', NAMES.map((_, at) => at)],
  ['docker.io/**', [0, 1]],
  ['docker.io/library/*', [0]],
  ['docker.io/library/busybox', [0]],
  ['docker.io/library/busybox:2', []],
  ['registry.example.com/team/**', [2, 3, 4, 5]],
  ['registry.example.com/team/*', [2, 3, 5]],
  ['registry.example.com/team/*/worker', [4]],
  ['registry.example.com/*', [6]],
  ['registry.example.com/*/*', [2, 3, 5, 7]],
  ['registry.example.com/team*/app', [2, 3, 5, 7]],
  ['registry.example.com/team/app', [2, 3, 5]],
  ['registry.example.com/team/app:1.2', [2]],
  ['registry.example.com/team/app:1.*', [2]],
  ['registry.example.com/team/**:latest', [3]],
  ['registry.example.com/**:1*', [2, 4, 6, 7]],
  ['*.example.com/**', [2, 3, 4, 5, 6, 7, 8, 9]],
  ['localhost:5000/team/app', [12]],
  ['registry.example.com:5000/**', [13]],
];

for (const [pattern, fits] of MATCHING) {
  test(`${pattern} fits the names it should, and no others`, () => {
    const read = readNamePattern(pattern);
    assert.ok(typeof read === 'object', JSON.stringify(read));
    assert.deepEqual(
      NAMES.filter(read.matches),
      fits.map((at) => NAMES[at]),
    );
  });
}

/** Patterns that are refused, and what the reason says. */
const REFUSED: readonly (readonly [pattern: string, reason: RegExp])[] = [
  ['busybox', /write docker\.io\/library\/busybox$/],
  ['busybox:1', /write docker\.io\/library\/busybox:1$/],
  ['team/**', /write docker\.io\/team\/\*\*$/],
  ['team/app', /write docker\.io\/team\/app$/],
  ['docker.io/busybox', /write docker\.io\/library\/busybox$/],
  ['docker.io/*', /write docker\.io\/library\/\*$/],
  ['index.docker.io/library/busybox', /write docker\.io\/library\/busybox$/],
  ['*', /write docker\.io\/library\/\*$/],
  ['*/app', /domain/],
  ['reg*.example.com/app', /domain/],
  ['a.*.example.com/app', /domain/],
  ['registry.example.com', /names are matched in full|no name/],
  ['registry.example.com/', /no name/],
  ['registry.example.com//app', /no name/],
  ['registry.example.com/**/app', /end of the path/],
  ['registry.example.com/app**', /whole components/],
  ['registry.example.com/***', /whole components/],
  ['registry.example.com/app:**', /tag/],
  ['registry.example.com/Team/app', /no name/],
  ['registry.example.com/app:', /tag/],
  ['registry.example.com/app:1:2', /tag/],
  ['registry.example.com/app:.x', /tag/],
  [`registry.example.com/app@sha256:${'a'.repeat(64)}`, /digest/],
  ['registry.example.com/[ab]', /letters/],
  ['registry.example.com/a?', /letters/],
  ['^registry.example.com/.*$', /letters/],
  ['registry.example.com/ü', /letters/],
  ['', /letters/],
];

for (const [pattern, reason] of REFUSED) {
  test(`refuses as a pattern: ${JSON.stringify(pattern)}`, () => {
    const read = readNamePattern(pattern);
    assert.match(typeof read === 'string' ? read : `fits ${read.text}`, reason);
  });
}

test('takes every name without a digest as a pattern for itself', () => {
  for (const name of NAMES.filter((one) => !one.includes('@'))) {
    const read = readNamePattern(name);
    assert.ok(typeof read === 'object' && read.matches(name), name);
  }
});

test('reads any text as a pattern or gives a reason, and matches in bounded time', () => {
  const part = fc.constantFrom('*', '**', 'a', '.', ':', '/', '-', '_', 'docker.io', '*.', '@', 'A', '1');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const read = readNamePattern(parts.join(''));
      if (typeof read === 'object') for (const name of NAMES) read.matches(name);
    }),
  );
  const slow = readNamePattern(`registry.example.com/${'a*'.repeat(60)}b`);
  assert.ok(typeof slow === 'object');
  assert.equal(slow.matches(`registry.example.com/${'a'.repeat(200)}:1`), false);
});
