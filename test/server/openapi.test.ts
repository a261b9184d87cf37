import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import fastify from 'fastify';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { engineWithExample, filtersQuery, platformQuery } from '../fixtures/engine-store.js';
import { startEngine, type Answer } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';

interface Media {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: Media;
  readonly responses: Readonly<Record<string, Media>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Every route that is served. Routes that only refuse are not described. */
const ROUTES = [
  'DELETE /images/{name}',
  'GET /_ping',
  'GET /events',
  'GET /images/get',
  'GET /images/json',
  'GET /images/{name}/attestations',
  'GET /images/{name}/get',
  'GET /images/{name}/history',
  'GET /images/{name}/json',
  'GET /info',
  'GET /livez',
  'GET /metrics',
  'GET /openapi.json',
  'GET /readyz',
  'GET /system/df',
  'GET /version',
  'HEAD /images/get',
  'HEAD /images/{name}/get',
  'GET /distribution/{name}/json',
  'POST /auth',
  'POST /images/create',
  'POST /images/load',
  'POST /images/prune',
  'POST /images/{name}/push',
  'POST /images/{name}/tag',
];

async function documentOf(t: TestContext): Promise<Document> {
  const { request } = await startEngine(t);
  const answer = await request('GET', '/openapi.json');
  assert.equal(answer.headers['content-type'], 'application/json');
  return answer.json() as Document;
}

test('is a valid OpenAPI document', async (t) => {
  const { valid, errors } = await new Validator().validate({ ...(await documentOf(t)) });
  assert.deepEqual(errors ?? [], []);
  assert.equal(valid, true);
});

test('lists exactly the routes that are served', async (t) => {
  const { paths } = await documentOf(t);
  const listed = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(new Set(listed), new Set(ROUTES));
});

test('describes platforms as a list on save and load', async (t) => {
  const { paths } = await documentOf(t);
  for (const operation of [paths['/images/load']?.['post'], paths['/images/get']?.['get']]) {
    const platform = operation?.parameters?.find(({ name }) => name === 'platform');
    assert.deepEqual(platform?.schema, { type: 'array', items: { type: 'string' } });
  }
});

function types(media: Media | undefined): readonly string[] {
  return Object.keys(media?.content ?? {});
}

test('describes archives as archives', async (t) => {
  const { paths } = await documentOf(t);
  assert.deepEqual(types(paths['/images/load']?.['post']?.requestBody), ['application/x-tar']);
  for (const path of ['/images/get', '/images/{name}/get'])
    assert.deepEqual(types(paths[path]?.['get']?.responses['200']), ['application/x-tar']);
});

type Valid = (schema: object, value: unknown) => boolean;

/** Checks values against JSON schemas, without coercion. */
async function judge(t: TestContext): Promise<Valid> {
  const customOptions = { coerceTypes: false, removeAdditional: false, useDefaults: false, strict: false } as const;
  const app = fastify({ ajv: { customOptions } });
  let valid: Valid | undefined;
  app.get('/', (request, reply) => {
    valid = (schema, value) => request.compileValidationSchema(schema)(value);
    return reply.send();
  });
  t.after(async () => await app.close());
  await app.inject('/');
  assert.ok(valid);
  return valid;
}

/** The document's schema for an answer. */
function schemaFor({ paths }: Document, route: string, { status, headers }: Answer): object {
  const [method = '', path = ''] = route.split(' ');
  const responses = paths[path]?.[method.toLowerCase()]?.responses;
  const media = responses?.[String(status)] ?? responses?.[`${Math.floor(status / 100)}XX`];
  const schema = media?.content?.[String(headers['content-type'])]?.schema;
  assert.ok(schema, `${route} does not describe ${status} ${headers['content-type']}`);
  return schema;
}

const VERSIONS = [24, 42, 43, 44, 47, 48, 50, 51, 52, 55];

for (const [route, url, status] of [
  ['GET /images/json', '/images/json?manifests=1', 200],
  ['GET /images/json', `/images/json?${filtersQuery({ unknown: ['a'] })}`, 400],
  ['GET /images/{name}/json', '/images/example/app:1/json?manifests=1', 200],
  ['GET /images/{name}/json', '/images/none/json', 404],
  ['GET /images/{name}/history', '/images/example/app:1/history', 200],
  ['GET /images/{name}/history', '/images/Bad//Name/history', 400],
  ['GET /images/get', '/images/get', 400],
  ['GET /images/{name}/attestations', '/images/none/attestations', 404],
  ['GET /images/get', '/images/get?names=none', 404],
  ['GET /system/df', '/system/df', 200],
  ['GET /version', '/version', 200],
  ['GET /info', '/info', 200],
  ['GET /events', '/events?since=x', 400],
  ['POST /images/{name}/tag', '/images/none/tag?repo=a', 404],
  ['POST /images/prune', '/images/prune', 200],
  ['POST /images/prune', `/images/prune?${filtersQuery({ dangling: ['0'] })}`, 409],
  ['POST /images/load', '/images/load', 400],
  ['DELETE /images/{name}', '/images/none', 404],
] as const) {
  test(`answers ${route} with ${status} as described, in every version`, async (t) => {
    const document = await documentOf(t);
    const valid = await judge(t);
    const { request } = await engineWithExample(t, { built: example({ attestations: true }) });
    for (const minor of VERSIONS) {
      const answer = await request(route.split(' ')[0] ?? '', `/v1.${minor}${url}`);
      assert.equal(answer.status, status, answer.text);
      assert.ok(valid(schemaFor(document, route, answer), answer.json()), `1.${minor}: ${answer.text}`);
    }
  });
}

test('answers the rest as described', async (t) => {
  const document = await documentOf(t);
  const valid = await judge(t);
  const { request } = await startEngine(t);
  const built = example();
  const body = await layoutArchive(built.images, built.blobs);
  const loaded = await request('POST', '/images/load', { body });
  assert.ok(valid(schemaFor(document, 'POST /images/load', loaded), loaded.text));
  const shown = await request('GET', `/images/example/app:1/json?${platformQuery('linux/arm/v7')}`);
  assert.ok(valid(schemaFor(document, 'GET /images/{name}/json', shown), shown.json()));
  const removed = await request('DELETE', '/images/example/app:1');
  assert.ok(valid(schemaFor(document, 'DELETE /images/{name}', removed), removed.json()));
});

test('finds a wrong answer, so the schemas are strict enough', async (t) => {
  const document = await documentOf(t);
  const valid = await judge(t);
  const { request } = await engineWithExample(t);
  const answer = await request('GET', '/images/json');
  const schema = schemaFor(document, 'GET /images/json', answer);
  const [summary] = answer.json() as readonly object[];
  assert.equal(valid(schema, [{ ...summary, RepoTags: null }]), false);
  assert.equal(valid(schema, [{ ...summary, Size: '1' }]), false);
});
