import type { ServerResponse } from 'node:http';
import { arch } from 'node:os';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { minorVersionOf, NEWEST_VERSION } from './api-version.js';
import { clientOf, type ServerContext } from './context.js';
import { checkHost, checkOrigin } from './host-guard.js';
import { routeUrl } from './route-url.js';
import { attestationsRoute } from './routes/attestations.js';
import { authRoute } from './routes/auth.js';
import { distributionRoute } from './routes/distribution.js';
import { editRoutes } from './routes/edit.js';
import { eventsRoute } from './routes/events.js';
import { imagesRoute } from './routes/images.js';
import { inspectRoutes } from './routes/inspect.js';
import { loadRoute } from './routes/load.js';
import { operationRoutes } from './routes/operation.js';
import { pruneRoute } from './routes/prune.js';
import { pullRoute } from './routes/pull.js';
import { pushRoute } from './routes/push.js';
import { saveRoutes } from './routes/save.js';
import { systemRoutes } from './routes/system.js';
import { uiRoutes } from './routes/ui.js';
import { unsupportedRoutes } from './routes/unsupported.js';
import { VERSION } from './shapes/about.js';
import { EngineError, exportFailureOf, failureOf, STATUS } from './statuses.js';

/** Longer than any image name. */
const MAX_NAME_LENGTH = 4096;

/** Routes that answer also while the server is stopping. */
const PROBES: readonly (string | undefined)[] = ['/livez', '/readyz', '/metrics'];

const JSON_TYPE = 'application/json';

/** Clients look for these on every answer. */
const OWN_HEADERS = { Server: `Lading/${VERSION} (${arch()})`, 'Api-Version': NEWEST_VERSION, Ostype: 'linux' };

/** The routes of the Engine API and what all of them share. It opens no socket. */
export async function buildApp(context: ServerContext): Promise<FastifyInstance> {
  const app = fastify({
    rewriteUrl: ({ method = 'GET', url = '/' }) => routeUrl(method, url),
    routerOptions: { maxParamLength: MAX_NAME_LENGTH },
    exposeHeadRoutes: true,
    return503OnClosing: false,
    frameworkErrors: ({ message }, _request, { raw }) => refuseUrl(raw, message),
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.0.3',
      info: { title: 'Lading', description: 'The image part of the Docker Engine API.', version: NEWEST_VERSION },
      servers: [{ url: '/' }, { url: `/v${NEWEST_VERSION}` }],
    },
  });
  speakTheEnginesHttp(app, context);
  for (const routes of ROUTES) routes(app, context);
  unsupportedRoutes(app);
  await app.ready();
  return app;
}

/** Answers where the router refuses: a path with wrong percent-encoding, or a name that is too long for any image. */
function refuseUrl(response: ServerResponse, message: string): void {
  response.writeHead(STATUS.badRequest, { ...OWN_HEADERS, 'Content-Type': JSON_TYPE });
  response.end(JSON.stringify({ message }));
}

const ROUTES = [
  systemRoutes,
  operationRoutes,
  loadRoute,
  saveRoutes,
  imagesRoute,
  inspectRoutes,
  attestationsRoute,
  editRoutes,
  pruneRoute,
  eventsRoute,
  uiRoutes,
  pullRoute,
  pushRoute,
  distributionRoute,
  authRoute,
] as const;

function speakTheEnginesHttp(app: FastifyInstance, context: ServerContext): void {
  takeBodiesAsTheyAre(app);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.decorateRequest('minor', 0);
  app.decorateRequest('client', '');
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(OWN_HEADERS);
    request.client = clientOf(request.raw);
    checkOrigin(request.raw);
    // A unix socket has no host name: clients send any.
    if (request.raw.socket.remoteAddress !== undefined) checkHost(request.raw, context.ownNames);
    if (context.stopping.aborted && !PROBES.includes(request.routeOptions.url)) {
      throw new EngineError(STATUS.unavailable, 'this server is stopping', { Connection: 'close' });
    }
    request.minor = minorVersionOf(request.originalUrl);
    // Fastify rejects malformed content types, and no route reads the header.
    delete request.raw.headers['content-type'];
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    // Clients compare the type by equality; with a charset the docker command takes an error for output.
    const type = String(reply.getHeader('Content-Type'));
    if (type.startsWith(`${JSON_TYPE};`)) reply.header('Content-Type', JSON_TYPE);
    if (context.stopping.aborted) reply.header('Connection', 'close');
    if (typeof payload === 'string') context.answers.hold(reply.raw, Buffer.byteLength(payload));
    done(null, payload);
  });
  app.addHook('onResponse', async ({ method, routeOptions }, { statusCode }) => {
    context.metrics.requests.inc({ method, route: routeOptions.url ?? 'none', status: String(statusCode) });
  });
  app.setErrorHandler(async (error, request, reply) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const { status, message, code, headers } = (isRead ? exportFailureOf : failureOf)(error);
    context.metrics.errors.inc({ code });
    if (status === STATUS.internal) context.onError(error);
    return await reply.code(status).headers(headers).type(JSON_TYPE).send({ message });
  });
  app.setNotFoundHandler(async (_request, reply) => {
    return await reply.code(STATUS.notFound).type(JSON_TYPE).send({ message: 'page not found' });
  });
}

/** Parses no body, whatever its type: a route that has one reads it as a stream. */
function takeBodiesAsTheyAre(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}
