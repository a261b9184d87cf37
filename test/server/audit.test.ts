import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditLine, type AuditRecord } from '../../src/server/index.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine } from '../fixtures/engine.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { until } from '../fixtures/until.js';
import { dial, uploadHead } from '../fixtures/wire.js';

const RECORD: AuditRecord = {
  time: '2026-01-02T03:04:05.678Z',
  action: 'delete',
  client: 'unix',
  code: 'OK',
  durationMs: 12,
};

/** The characters that a terminal obeys, or that end a line. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test('writes every record as one line without control characters, which reads back unchanged', () => {
  const controls = Array.from({ length: 0xa1 }, (_, code) => String.fromCharCode(code));
  const bidi = ['\u061c', '\u200b', '\u200e', '\u200f', '\u202a', '\u202e', '\u2066', '\u2069', '\ufeff', '\u00ad'];
  const astral = ['\u{e0001}', '\u{e007f}', '\u{1d173}', '\u{110bd}'];
  const plain = ['é', '漢', '\u{1f6a2}', '"', '\\'];
  for (const character of [...controls, '\u2028', '\u2029', '\ud800', ...bidi, ...astral, ...plain]) {
    const record = { ...RECORD, names: [`a${character}1`], client: `10.0.0.1 ${character}` };
    const line = auditLine(record);
    assert.doesNotMatch(line, OBEYED);
    assert.deepEqual(JSON.parse(line), record);
  }
});

test('has one record for each load, save, tag, delete and prune, also for those that fail', async (t) => {
  const { request, audit } = await startEngine(t, { now: () => Date.parse(RECORD.time) });
  const built = example();
  const body = await layoutArchive(built.images, built.blobs);
  const digest = built.root.digest;
  const second = 'docker.io/library/second:1';
  const { body: saved } = await request('GET', '/images/example/app:1/get').then(async () => {
    await request('POST', '/images/load', { body });
    return await request('GET', '/images/get?names=example/app:1');
  });
  await request('POST', '/images/load', { body: 'no archive' });
  await request('POST', '/images/example/app:1/tag?repo=second&tag=1');
  await request('POST', '/images/example/app:1/tag?repo=UPPER&tag=1');
  await request('DELETE', '/images/example/app:1');
  await request('DELETE', '/images/example/app:1');
  await request('POST', '/images/prune');
  await request('POST', '/images/prune?filters={"dangling":["false"]}');
  const common = { time: RECORD.time, client: 'unix', durationMs: 0 };
  const from = { name: NAME, from: digest };
  assert.deepEqual(
    audit.map(({ time, client, durationMs, ...rest }) => {
      assert.deepEqual({ time, client, durationMs }, common);
      return rest;
    }),
    [
      { action: 'save', names: ['example/app:1'], code: 'ERR_IMAGE_UNKNOWN' },
      { action: 'load', code: 'OK', bytes: body.length, digests: [digest], moved: [{ name: NAME, to: digest }] },
      { action: 'save', names: ['example/app:1'], digests: [digest], code: 'OK', bytes: audit[2]?.bytes },
      { action: 'load', code: audit[3]?.code, bytes: 10 },
      {
        action: 'tag',
        names: ['example/app:1', 'second:1'],
        code: 'OK',
        digests: [digest],
        moved: [{ name: second, to: digest }],
      },
      { action: 'tag', names: ['example/app:1', 'UPPER:1'], code: 'ERR_REFERENCE_INVALID' },
      { action: 'delete', names: ['example/app:1'], code: 'OK', digests: [digest], moved: [from] },
      { action: 'delete', names: ['example/app:1'], code: 'ERR_IMAGE_UNKNOWN' },
      { action: 'prune', names: [], code: 'OK', digests: [], moved: [] },
      { action: 'prune', names: [], code: 'HTTP_409' },
    ],
  );
  assert.match(audit[3]?.code ?? '', /^ERR_/);
  assert.ok((audit[2]?.bytes ?? 0) >= saved.length);
});

test('records from which image to which a name moved', async (t) => {
  const { request, audit } = await startEngine(t);
  const [first, second] = [example(), example({ seed: 'other' })];
  for (const { images, blobs } of [first, second])
    await request('POST', '/images/load', { body: await layoutArchive(images, blobs) });
  assert.deepEqual(audit.at(-1)?.moved, [{ name: NAME, from: first.root.digest, to: second.root.digest }]);
});

test('has recorded broken saves and loads before a stop is over', async (t) => {
  const built = example({ layerBytes: 3_000_000 });
  const { server, store, socket, audit } = await startEngine(t);
  await load(store, await layoutArchive(built.images, built.blobs));
  const [reader, sender] = [await dial({ path: socket }), await dial({ path: socket })];
  reader.socket.pause();
  await reader.send(`GET /images/get?names=${FAMILIAR} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await sender.send(uploadHead());
  await until(() => server.transfers === 2, 'both are on their way');
  await server.stop({ graceMs: 0 });
  assert.deepEqual(audit.map(({ action, code }) => `${action} ${code}`).toSorted(), [
    'load CLIENT_GONE',
    'save ERR_ABORTED',
  ]);
});

test('holds no secrets', async (t) => {
  const { request, audit } = await startEngine(t);
  const secret = 'c2VjcmV0';
  const headers = { 'X-Registry-Auth': secret, Authorization: `Bearer ${secret}`, Cookie: secret };
  for (const [method, url] of [
    ['POST', '/images/load'],
    ['GET', '/images/get?names=a'],
    ['POST', '/images/a/tag?repo=b'],
    ['DELETE', '/images/a'],
    ['POST', '/images/prune'],
    ['POST', '/images/a/push'],
    ['POST', '/images/create?fromImage=a'],
  ] as const) {
    await request(method, url, { headers });
  }
  assert.ok(audit.length >= 5);
  assert.equal(JSON.stringify(audit).includes(secret), false);
});
