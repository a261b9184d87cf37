import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxiesOf } from '../../src/cli/proxies.js';
import { makeCertificates } from '../fixtures/certificates.js';
import { requireTool, runLading } from '../fixtures/command.js';
import { sharedRegistry, startRegistry } from '../fixtures/docker-registry.js';
import { NAME } from '../fixtures/example.js';
import { forwardProxy } from '../fixtures/forward-proxy.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';

const open = sharedRegistry();
const SECRET = 's3cret-pass';

test('reaches registries without TLS through a proxy, and shows its password to nobody else', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry } = scene;
  const proxy = await forwardProxy(t);
  const host = `registry.test:${registry.port}`;
  const env = { http_proxy: `http://me:${SECRET}@127.0.0.1:${proxy.port}`, https_proxy: 'http://127.0.0.1:1' };
  assertOk(await lading(['push', NAME, `${host}/proxied/a:1`, '--plain-http', host], { env }));
  assertOk(await lading(['tags', `${host}/proxied/a`, '--plain-http', host], { env }), '1\n');
  assert.ok(proxy.seen.every(({ target }) => target.startsWith(`http://${host}/v2/`)));
  assert.equal(proxy.seen[0]?.authorization, `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`);
  assert.ok(!registry.log().includes(SECRET));
  const before = proxy.seen.length;
  assertOk(await lading(['tags', `${registry.host}/proxied/a`], { env }), '1\n');
  assert.equal(proxy.seen.length, before, 'this computer is asked directly');
  proxy.refuse(407);
  const refused = await lading(['tags', `${host}/proxied/a`, '--plain-http', host], { env });
  assert.deepEqual([refused.status, refused.stderr.includes(SECRET)], [6, false], refused.stderr);
  assert.match(refused.stderr, /ERR_REGISTRY_AUTH/);
});

test('reaches registries with TLS through tunnels of a proxy', async (t) => {
  if (!requireTool(t, 'docker-registry', 'openssl')) return;
  const certificates = await makeCertificates(t);
  const files = { certificate: certificates.at('proxied.pem'), key: certificates.at('proxied.key') };
  const registry = await startRegistry({ tls: files });
  t.after(registry.stop);
  const scene = await registryScene(t, async () => registry);
  if (scene === undefined) return;
  const { lading } = scene;
  const proxy = await forwardProxy(t);
  const name = `registry.test:${registry.port}/tunnel/a`;
  const options = ['--ca-file', certificates.at('ca.pem')];
  const env = { https_proxy: `me:${SECRET}@127.0.0.1:${proxy.port}` };
  // A proxy with trouble of its own is asked again.
  proxy.refuse(503);
  assertOk(await lading(['push', NAME, `${name}:1`, ...options], { env }));
  assertOk(await lading(['tags', name, ...options], { env }), '1\n');
  assert.deepEqual(
    new Set(proxy.seen.map(({ method, target }) => `${method} ${target}`)),
    new Set([`CONNECT registry.test:${registry.port}`]),
  );
  assert.ok(proxy.seen.length < 14, 'tunnels are used again');
  proxy.refuse(407, 9);
  const before = proxy.seen.length;
  const refused = await lading(['tags', name, ...options], { env });
  assert.deepEqual([refused.status, proxy.seen.length - before], [6, 1], refused.stderr);
  assert.match(refused.stderr, /the proxy 127\.0\.0\.1:\d+ refused the connection with status 407.*ERR_REGISTRY_AUTH/);
  assert.ok(!refused.stderr.includes(SECRET));
  // A challenge of the proxy would name who gets the credentials of the registry.
  proxy.refuse(401, 9, `www-authenticate: Bearer realm="https://registry.test:${registry.port}/token"\r\n`);
  const forged = await lading(['tags', name, ...options], { env });
  assert.deepEqual([forged.status, proxy.seen.length - before], [6, 2], forged.stderr);
  assert.match(forged.stderr, /the proxy 127\.0\.0\.1:\d+ refused the connection with status 401/);
  proxy.refuse(0, 0);
  const untrusted = await lading(['tags', name], { env });
  assert.match(untrusted.stderr, /ERR_REGISTRY_TLS/);
});

const P = 'http://p:1';
/** Variables, an address, and whether it goes through the proxy. */
const RULES: readonly (readonly [env: Readonly<Record<string, string>>, url: string, isProxied: boolean])[] = [
  [{ https_proxy: P }, 'https://a.example/', true],
  [{ http_proxy: P }, 'https://a.example/', false],
  [{ HTTPS_PROXY: P }, 'https://a.example/', true],
  [{ https_proxy: '', HTTPS_PROXY: P }, 'https://a.example/', true],
  [{ all_proxy: P }, 'http://a.example/', true],
  [{ all_proxy: P }, 'https://localhost:5000/', false],
  [{ all_proxy: P }, 'https://[::1]:5000/', false],
  [{ all_proxy: P, no_proxy: '*' }, 'https://a.example/', false],
  [{ all_proxy: P, no_proxy: 'example' }, 'https://a.example/', false],
  [{ all_proxy: P, no_proxy: '.example, b.test' }, 'https://a.example/', false],
  [{ all_proxy: P, no_proxy: 'b.example' }, 'https://ab.example/', true],
  [{ all_proxy: P, no_proxy: 'a.example:5000' }, 'https://a.example:5000/', false],
  [{ all_proxy: P, no_proxy: 'a.example:5000' }, 'https://a.example/', true],
  [{ all_proxy: P, no_proxy: 'a.example:443' }, 'https://a.example/', false],
  [{ all_proxy: P, NO_PROXY: '10.0.0.0/8' }, 'https://10.2.3.4:5000/', false],
  [{ all_proxy: P, no_proxy: '10.0.0.0/8' }, 'https://11.2.3.4/', true],
  [{ all_proxy: P, no_proxy: '10.0.0.0/8' }, 'https://a.10.0.0.0/', true],
  [{ all_proxy: P, no_proxy: '192.0.2.7' }, 'https://192.0.2.7/', false],
  [{ all_proxy: P, no_proxy: 'fd00::/8' }, 'https://[fd00::1]:5000/', false],
  [{ all_proxy: P, no_proxy: '[fd00::1]' }, 'https://[fd00::2]/', true],
];

test('decides on proxies as curl and Go do', () => {
  for (const [env, url, isProxied] of RULES) {
    if (!URL.canParse(url)) continue;
    assert.equal(proxiesOf(env)(new URL(url)) !== undefined, isProxied, `${JSON.stringify(env)} ${url}`);
  }
});

test('refuses a proxy that it cannot use, without showing it', async () => {
  const env = { https_proxy: `socks5://me:${SECRET}@proxy.test:1` };
  const { status, stderr } = await runLading(['tags', 'registry.test/a'], { env });
  assert.deepEqual([status, stderr.includes(SECRET)], [2, false], stderr);
  assert.match(stderr, /no http:\/\/ or https:\/\/ address/);
});
