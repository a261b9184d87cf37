import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LadingError, type ErrorCategory } from '../../src/index.js';
import { inDockersWords } from '../../src/server/advice.js';
import { minorVersionOf, withoutVersion } from '../../src/server/api-version.js';
import { parseFilters } from '../../src/server/filters.js';
import { checkHost } from '../../src/server/host-guard.js';
import { isTrue, platformOf, transferPlatforms } from '../../src/server/query.js';
import { EngineError, exportFailureOf, failureOf } from '../../src/server/statuses.js';
import { engineTime, parseTime, unixSeconds } from '../../src/server/times.js';

/** Fails if anything but an EngineError is thrown. */
function throwsOnlyEngineErrors(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof EngineError && error.status === 400, String(error));
  }
}

for (const [url, minor, rest] of [
  ['/v1.24/_ping', 24, '/_ping'],
  ['/v1.52/images/json?all=1', 52, '/images/json?all=1'],
  ['/images/json', 55, '/images/json'],
  ['/v1.30', 30, '/'],
  ['/v1.30?a=b', 30, '/?a=b'],
  ['/v1.30/', 30, '/'],
  ['/v1.30x/a', 55, '/v1.30x/a'],
  ['/v1/images', 55, '/v1/images'],
  ['/V1.30/a', 55, '/V1.30/a'],
  ['/a/v1.30/b', 55, '/a/v1.30/b'],
  ['/v1.30/v1.24/a', 30, '/v1.24/a'],
] as const) {
  test(`reads the version of ${url}`, () => {
    assert.deepEqual([minorVersionOf(url), withoutVersion(url)], [minor, rest]);
  });
}

test('accepts every version from 1.24 to 1.55 and no other', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.nat(200), (major, minor) => {
      const isServed = major === 1 && minor >= 24 && minor <= 55;
      if (isServed) assert.equal(minorVersionOf(`/v${major}.${minor}/a`), minor);
      else assert.throws(() => minorVersionOf(`/v${major}.${minor}/a`), { name: 'EngineError', status: 400 });
    }),
  );
});

test('no URL makes the version throw anything but an EngineError', () => {
  fc.assert(fc.property(fc.string(), (text) => throwsOnlyEngineErrors(() => minorVersionOf(`/v${text}`))));
});

for (const text of ['1', 'true', 'True', 'yes', 'on', 't', ' 1 ', 'x', 'maybe', '-1', 'null'])
  test(`reads ${JSON.stringify(text)} as true`, () => assert.equal(isTrue(text), true));

for (const text of [undefined, '', ' ', '0', 'no', 'No', 'false', 'FALSE', 'none', ' 0 '])
  test(`reads ${JSON.stringify(text)} as false`, () => assert.equal(isTrue(text), false));

test('reads a platform with all of its fields', () => {
  const platform = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763.1', 'os.features': ['win32k'] };
  assert.deepEqual(platformOf(JSON.stringify(platform)), platform);
  assert.equal(platformOf('{"os":"linux","architecture":"arm","variant":"v5"}').variant, 'v5');
});

test('no text makes a platform throw anything but an EngineError', () => {
  const field = fc.oneof(fc.string(), fc.jsonValue());
  const object = fc.dictionary(fc.constantFrom('os', 'architecture', 'variant', 'os.version', 'os.features'), field);
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    object.map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(text, (platform) => throwsOnlyEngineErrors(() => platformOf(platform))),
    { numRuns: 1000 },
  );
});

test('accepts as many platforms as the version allows', () => {
  const two = ['{"os":"linux","architecture":"arm64"}', '{"os":"linux","architecture":"amd64"}'];
  assert.deepEqual(transferPlatforms(two, 47), []);
  assert.deepEqual(transferPlatforms(two.slice(1), 48), [{ os: 'linux', architecture: 'amd64' }]);
  assert.equal(transferPlatforms(two, 52).length, 2);
  for (const minor of [48, 51]) assert.throws(() => transferPlatforms(two, minor), EngineError);
});

const NOW = 1_000_000_000;

for (const [text, ms] of [
  ['0', 0],
  ['2025', 2_025_000],
  ['1764000000', 1_764_000_000_000],
  ['1764000000.5', 1_764_000_000_500],
  ['1764000000.123456789', 1_764_000_000_123.456_8],
  ['2025-11-24T16:00:00Z', 1_764_000_000_000],
  ['2025-11-24T17:00:00+01:00', 1_764_000_000_000],
  ['2025-11-24T16:00:00.5Z', 1_764_000_000_500],
  ['2025-11-24', 1_763_942_400_000],
  ['1h', NOW - 3_600_000],
  ['1h30m', NOW - 5_400_000],
  ['1.5s', NOW - 1500],
  ['100ms', NOW - 100],
  ['1m1s1ms1us1ns', NOW - 61_001.001_001],
] as const) {
  test(`reads the time ${text}`, () => {
    assert.ok(Math.abs(parseTime(text, NOW) - ms) < 0.001, String(parseTime(text, NOW)));
  });
}

for (const text of ['', 'soon', '-1', '1e3', 'NaN', '1d', '1h-1m', '2025-13-01', '2025-11-24T99:00:00Z', 'h']) {
  test(`refuses ${JSON.stringify(text)} as a time`, () => {
    assert.throws(() => parseTime(text, NOW), { name: 'EngineError', status: 400 });
  });
}

test('no text makes a time throw anything but an EngineError', () => {
  const unit = fc.constantFrom(...'0123456789.:-TZ+hmsuµn'.split(''));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit })), (text) => throwsOnlyEngineErrors(() => parseTime(text, 0))),
  );
});

test('reads a date as seconds, and 0 without one', () => {
  const texts = ['2020-01-02T03:04:05.9Z', undefined, '', 'never', '1969-12-31T23:59:59.5Z'];
  assert.deepEqual(texts.map(unixSeconds), [1_577_934_245, 0, 0, 0, -1]);
});

for (const [text, written] of [
  ['2020-01-02T03:04:05Z', '2020-01-02T03:04:05Z'],
  ['2020-01-02T03:04:05.000000000Z', '2020-01-02T03:04:05Z'],
  ['2020-01-02T03:04:05.123456789Z', '2020-01-02T03:04:05.123456789Z'],
  ['2020-01-02T03:04:05.1234567891Z', '2020-01-02T03:04:05.123456789Z'],
  ['2020-01-02T03:04:05.100+02:00', '2020-01-02T03:04:05.1+02:00'],
  ['2020-01-02T03:04:05.0-00:00', '2020-01-02T03:04:05Z'],
  ['2020-01-02 03:04', '2020-01-02 03:04'],
  ['', ''],
] as const) {
  test(`writes the time ${text || 'nothing'} as Go does`, () => assert.equal(engineTime(text), written));
}

test('names the commands of docker, and no others', () => {
  const text = 'lading load, `lading rm`, lading images; lading verify, lading loads, unlading load';
  const docker = 'docker load, `docker rmi`, docker images; lading verify, lading loads, unlading load';
  assert.equal(inDockersWords(text), docker);
  const refusal = new LadingError('ERR_COMPRESSION_UNSUPPORTED', 'unpack it first: xz -d FILE | lading load');
  assert.equal(failureOf(refusal).message, 'unpack it first: xz -d FILE | docker load');
  const trouble = new LadingError('ERR_STORE_TAMPERED', 'load it with lading load -i DIR');
  assert.equal(failureOf(trouble).message, 'load it with lading load -i DIR');
});

test('escapes control characters if a refusal repeats the text of a client', () => {
  const text = 'a\u009b\u202e\u{e0001}';
  const refuse = [
    () => parseTime(text, 0),
    () => parseFilters(text, []),
    () => parseFilters(JSON.stringify({ [text]: [] }), []),
    () => checkHost({ headers: { host: text } } as IncomingMessage, new Set()),
  ];
  for (const refusal of refuse) {
    assert.throws(refusal, { name: 'EngineError', message: /^[^\p{Cc}\p{Cf}]*"a\\u009b\\u202e\\udb40\\udc01"$/u });
  }
});

const STATUS_OF: Readonly<Record<ErrorCategory, readonly [write: number, read: number, code: LadingError['code']]>> = {
  'invalid-argument': [400, 400, 'ERR_OPTION_INVALID'],
  'invalid-archive': [400, 500, 'ERR_ARCHIVE_FORMAT'],
  integrity: [422, 500, 'ERR_DIGEST_MISMATCH'],
  limit: [413, 500, 'ERR_LIMIT_BYTES'],
  'not-found': [404, 404, 'ERR_PLATFORM_UNAVAILABLE'],
  conflict: [409, 409, 'ERR_NAME_CONFLICT'],
  storage: [500, 500, 'ERR_STORAGE_IO'],
  unsupported: [501, 501, 'ERR_COMPRESSION_UNSUPPORTED'],
  trust: [403, 403, 'ERR_SIGNATURE_MISSING'],
  network: [502, 502, 'ERR_REGISTRY_UNREACHABLE'],
  aborted: [503, 503, 'ERR_ABORTED'],
};

for (const [category, [write, read, code]] of Object.entries(STATUS_OF)) {
  test(`answers ${write} to an error of ${category}, and ${read} if the store has it`, () => {
    const error = new LadingError(code, 'what happened');
    assert.equal(error.category, category);
    assert.deepEqual(failureOf(error), { status: write, message: 'what happened', code, headers: {} });
    assert.equal(exportFailureOf(error).status, read);
  });
}

test('answers 507 if the disk is full', () => {
  assert.equal(failureOf(new LadingError('ERR_NO_SPACE', 'full')).status, 507);
});

test("reports an unknown image in the Engine's words", () => {
  const error = new LadingError('ERR_IMAGE_UNKNOWN', 'x', { details: { image: 'app:1' } });
  assert.equal(failureOf(error).message, 'No such image: app:1');
});

test('does not send the message of an unexpected error', () => {
  for (const error of [
    new Error('secret'),
    new TypeError('secret'),
    'secret',
    null,
    undefined,
    { statusCode: 500, message: 'secret' },
  ])
    assert.deepEqual(failureOf(error), { status: 500, message: 'internal error', code: 'HTTP_500', headers: {} });
});

test('answers a refusal of HTTP with its headers', () => {
  const error = new EngineError(503, 'later', { 'Retry-After': '5' });
  assert.deepEqual(failureOf(error), {
    status: 503,
    message: 'later',
    code: 'HTTP_503',
    headers: { 'Retry-After': '5' },
  });
  assert.equal(failureOf({ statusCode: 415, message: 'type' }).status, 415);
});
