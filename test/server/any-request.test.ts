import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { engineWithExample } from '../fixtures/engine-store.js';
import { example } from '../fixtures/example.js';

const METHODS = ['GET', 'HEAD', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS'];
const PATHS = [
  'images',
  'json',
  'get',
  'load',
  'history',
  'tag',
  'prune',
  'example',
  'app:1',
  '%2F',
  'a@b',
  'containers',
];
const WHOLE = [
  '_ping',
  'version',
  'info',
  'system/df',
  'images/json',
  'images/get',
  'images/load',
  'images/example/app:1/json',
];
const KEYS = [
  'names',
  'platform',
  'platforms',
  'filters',
  'force',
  'repo',
  'tag',
  'type',
  'manifests',
  'quiet',
  'strict',
];

/** Usual values of parameters, and hostile ones. */
const value = fc.oneof(
  fc.constantFrom('1', '0', '', 'example/app:1', 'sha256:', '{"os":"linux","architecture":"amd64"}', '__proto__'),
  fc.constantFrom('{"dangling":["true"]}', '{"reference":["*"]}', '{"until":["1h"]}', '{"label":{"__proto__":true}}'),
  fc.constantFrom('{"os":"linux","architecture":"amd64","os.version":"\\ud800","os.features":[1,null]}', '\u0000', '€'),
  fc.string({ maxLength: 8 }),
  fc.json({ maxDepth: 2 }),
);
const query = fc.array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 3 });
const path = fc.oneof(
  fc.constantFrom(...WHOLE),
  fc.array(fc.constantFrom(...PATHS), { maxLength: 4 }).map((parts) => parts.join('/')),
);

test('answers no request with an internal error, and every error with a message', async (t) => {
  const built = example({ attestations: true });
  const { request } = await engineWithExample(t, { built });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METHODS),
      fc.integer({ min: 22, max: 54 }),
      path,
      query,
      async (method, minor, where, asked) => {
        const text = asked
          .map(([key, given]) => `${key}=${encodeURIComponent(Buffer.from(given).toString('utf8'))}`)
          .join('&');
        const answer = await request(method, `/v1.${minor}/${where}?${text}`);
        assert.ok(answer.status !== 500, answer.text);
        assert.equal(answer.headers['api-version'], '1.55');
        if (answer.status < 400 || method === 'HEAD') return;
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.deepEqual(Object.keys(answer.json() as object), ['message']);
      },
    ),
    { numRuns: 400, seed: 1 },
  );
});
