import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';

const NO_CONTAINERS = 'this server only keeps images: it runs no containers and builds nothing';

test('does not search in registries', async (t) => {
  const { request } = await startEngine(t);
  assertRefused(
    await request('GET', '/v1.52/images/search?term=app'),
    501,
    'this server does not search in registries',
  );
});

for (const [method, url] of [
  ['GET', '/containers/json?all=1'],
  ['POST', '/containers/create?name=a'],
  ['POST', '/containers/a/start'],
  ['DELETE', '/containers/a'],
  ['POST', '/containers/prune'],
  ['GET', '/networks'],
  ['POST', '/networks/create'],
  ['DELETE', '/networks/a'],
  ['GET', '/volumes'],
  ['POST', '/volumes/prune'],
  ['POST', '/exec/a/start'],
  ['POST', '/build?t=a'],
  ['POST', '/build/prune'],
  ['POST', '/session'],
  ['POST', '/grpc'],
  ['POST', '/commit?container=a'],
  ['GET', '/swarm'],
  ['POST', '/swarm/init'],
  ['GET', '/nodes'],
  ['GET', '/services'],
  ['GET', '/tasks'],
  ['GET', '/secrets'],
  ['GET', '/configs'],
  ['GET', '/plugins'],
] as const) {
  test(`keeps only images: ${method} ${url}`, async (t) => {
    const { request } = await startEngine(t);
    assertRefused(await request(method, `/v1.52${url}`), 501, NO_CONTAINERS);
  });
}

for (const [url, message] of [
  ['/containers/none/json', 'No such container: none'],
  ['/containers/example/app:1/json', 'No such container: example/app:1'],
  ['/containers/example%2Fapp:1/json?size=1', 'No such container: example/app:1'],
  ['/containers/none/logs?stdout=1', 'No such container: none'],
  ['/containers/none/top', 'No such container: none'],
  ['/containers/none/stats', 'No such container: none'],
  ['/containers/none/export', 'No such container: none'],
  ['/containers/none/changes', 'No such container: none'],
  ['/containers/none/archive?path=/', 'No such container: none'],
  ['/containers/json/json', 'No such container: json'],
  ['/exec/none/json', 'No such exec instance: none'],
  ['/networks/none', 'network none not found'],
  ['/networks/example/app:1?verbose=false', 'network example/app:1 not found'],
  ['/volumes/none', 'get none: no such volume'],
  ['/volumes/example/app:1', 'get example/app:1: no such volume'],
  ['/nodes/none', 'node none not found'],
  ['/services/none?insertDefaults=false', 'service none not found'],
  ['/tasks/none', 'task none not found'],
  ['/secrets/none', 'secret none not found'],
  ['/configs/none', 'config none not found'],
  ['/plugins/none/json', 'plugin "none" not found'],
] as const) {
  test(`answers that nothing has the requested name: ${url}`, async (t) => {
    const { request } = await startEngine(t);
    for (const version of ['', '/v1.24', '/v1.52'])
      assertRefused(await request('GET', `${version}${url}`), 404, message);
  });
}

test('answers HEAD of a file in a container without a body', async (t) => {
  const { request } = await startEngine(t);
  const answer = await request('HEAD', '/containers/none/archive?path=/');
  assert.deepEqual([answer.status, answer.text], [404, '']);
});
