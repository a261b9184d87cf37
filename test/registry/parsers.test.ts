import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as checkAll, property, string } from 'fast-check';
import { isLinkLocal, isPrivate } from '../../src/registry/address-rules.js';
import { parseChallenges, scopesOf, usableChallenge } from '../../src/registry/challenge.js';
import { Redaction } from '../../src/registry/redaction.js';
import { linkTarget } from '../../src/registry/redirects.js';
import {
  apiHostOf,
  isLoopbackHost,
  parseHost,
  parseRegistryReference,
  repositoryOf,
} from '../../src/registry/registry-name.js';
import { askedWait, isTemporary, waitBefore } from '../../src/registry/retry-policy.js';

const CHALLENGES: readonly (readonly [
  header: string,
  found: readonly (readonly [string, Readonly<Record<string, string>>])[],
])[] = [
  ['Bearer realm="https://a/t",service="s"', [['bearer', { realm: 'https://a/t', service: 's' }]]],
  [
    'bearer REALM="https://a/t" , scope="repository:a:pull,push"',
    [['bearer', { realm: 'https://a/t', scope: 'repository:a:pull,push' }]],
  ],
  [String.raw`Basic realm="a \"b\", c"`, [['basic', { realm: 'a "b", c' }]]],
  [
    'Negotiate, Basic realm=x',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'NTLM TlRMTVNTUAAB==, Bearer realm="r"',
    [
      ['ntlm', {}],
      ['bearer', { realm: 'r' }],
    ],
  ],
  [
    'Basic realm="a", Bearer realm="b",service="c"',
    [
      ['basic', { realm: 'a' }],
      ['bearer', { realm: 'b', service: 'c' }],
    ],
  ],
  ['Bearer', [['bearer', {}]]],
  ['', []],
];

test('parses challenges, several in one header too', () => {
  for (const [header, found] of CHALLENGES) {
    const parsed = parseChallenges([header]).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    assert.deepEqual(parsed, found, header);
  }
});

test('parses any text as challenges without an error, and in linear time', () => {
  checkAll(property(string(), (text) => Array.isArray(parseChallenges([text]))));
  parseChallenges([`Bearer realm="${'\\'.repeat(100_000)}`, 'a '.repeat(100_000), ','.repeat(100_000)]);
});

test('answers Bearer before Basic, and parts scopes that are joined with blanks', () => {
  const challenge = usableChallenge(parseChallenges(['Basic realm="a"', 'Bearer realm="b",scope="x:a:pull y:b:pull"']));
  assert.equal(challenge?.scheme, 'bearer');
  assert.deepEqual(scopesOf(challenge), ['x:a:pull', 'y:b:pull']);
  assert.equal(usableChallenge(parseChallenges(['Negotiate'])), undefined);
});

function nameOf(text: string): string {
  const { host, path } = repositoryOf(parseRegistryReference(text));
  return `${apiHostOf(host)} ${path}`;
}

test('finds the registry of a name', () => {
  assert.equal(nameOf('docker://alpine:3'), 'registry-1.docker.io library/alpine');
  assert.equal(nameOf('index.docker.io/a/b'), 'registry-1.docker.io a/b');
  assert.equal(nameOf('registry-1.docker.io/alpine'), 'registry-1.docker.io library/alpine');
  assert.equal(nameOf('registry.hub.docker.com/a/b:1'), 'registry-1.docker.io a/b');
  assert.equal(nameOf('docker://[::1]:5000/a:1'), '[::1]:5000 a');
  assert.equal(nameOf('REG.example:5000/alpine'), 'reg.example:5000 alpine');
  const refused = { code: 'ERR_REFERENCE_INVALID' };
  assert.throws(() => parseRegistryReference(`localhost/${'a'.repeat(250)}`), refused);
  assert.throws(() => parseRegistryReference('[fe80::1%eth0]:5000/a'), refused);
  assert.throws(() => parseHost('a b'), refused);
  assert.deepEqual(
    ['https://index.docker.io/v1/', 'docker.io', 'Reg.example:443', 'http://localhost:5000'].map(parseHost),
    ['docker.io', 'docker.io', 'reg.example:443', 'localhost:5000'],
  );
});

test('knows this computer, and the networks that are not public', () => {
  for (const host of ['localhost:1', 'a.localhost', '127.1.2.3:5000', '[::1]:5000'])
    assert.ok(isLoopbackHost(host), host);
  for (const host of ['10.0.0.1', 'localhost.example', '128.0.0.1', '192.168.1.1:5000'])
    assert.ok(!isLoopbackHost(host), host);
  for (const address of ['169.254.169.254', 'fe80::1', 'fd00:ec2::254', '::ffff:169.254.1.1'])
    assert.ok(isLinkLocal(address), address);
  for (const address of ['10.1.1.1', '127.0.0.1', '::1', '::ffff:10.0.0.1', 'fd00::1', '0.0.0.0', '::ffff:7f00:1'])
    assert.ok(isPrivate(address), address);
  for (const address of ['8.8.8.8', '2001:4860::8888', 'nonsense']) assert.ok(!isPrivate(address), address);
});

const RULES = {
  attempts: 5,
  maxWaitMs: 60_000,
  firstWaitMs: 500,
  now: () => Date.parse('2026-01-01T00:00:00Z'),
  random: () => 1,
};

test('waits twice as long after each failure, as long as the registry asks, and not without end', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((failed) => waitBefore(failed, undefined, RULES)),
    [500, 1000, 2000, 4000, undefined],
  );
  assert.equal(waitBefore(1, '7', RULES), 7000);
  assert.equal(waitBefore(1, '0', RULES), 500);
  assert.equal(waitBefore(1, '61', RULES), undefined);
  assert.equal(waitBefore(1, 'soon', RULES), 500);
  assert.equal(askedWait('Thu, 01 Jan 2026 00:00:05 GMT', RULES.now()), 5000);
  assert.equal(askedWait('Thu, 01 Jan 2025 00:00:05 GMT', RULES.now()), 0);
  assert.deepEqual([429, 500, 503, 522].map(isTemporary), [true, true, true, true]);
  assert.deepEqual([400, 401, 404, 501].map(isTemporary), [false, false, false, false]);
});

const ASKED = { host: 'reg', what: 'x', method: 'GET', origin: 'https://reg' };

test('follows no address that could lead astray', () => {
  const from = new URL('https://reg:8443/v2/a/');
  const target = (location: string | undefined) => linkTarget(location, from, ASKED).href;
  assert.equal(target('uploads/1?_state=a%3Db%3D'), 'https://reg:8443/v2/a/uploads/1?_state=a%3Db%3D');
  assert.equal(target('//other/x'), 'https://other/x');
  assert.equal(target('http://reg/v2/x?y=1'), 'https://reg:8443/v2/x?y=1', 'a proxy that ends TLS');
  for (const location of [
    'https://user:pw@reg/',
    'https://reg/#a',
    'https://reg\\@evil/',
    'https://reg/\u00e4',
    'ftp://reg/',
    `https://reg/${'a'.repeat(17_000)}`,
  ])
    assert.throws(() => target(location), { code: 'ERR_REDIRECT_REFUSED' }, location.slice(0, 30));
  assert.throws(() => target(undefined), { code: 'ERR_REGISTRY_PROTOCOL' });
});

test('hides secrets, in all forms in which they go over the wire, and queries of addresses', () => {
  const redaction = new Redaction();
  redaction.add('pa"ss word');
  redaction.add(undefined);
  const hidden = redaction.hide(
    'pa"ss word pa%22ss%20word {"p":"pa\\"ss word"} Basic cm9ib3Q6eA== https://u:pw@reg/x?X-Amz-Signature=abc end',
  );
  for (const secret of ['ss word', 'ss%20word', 'cm9ib3Q6eA', 'u:pw', 'abc'])
    assert.ok(!hidden.includes(secret), `${secret} in ${hidden}`);
  assert.ok(hidden.endsWith('end'));
});
