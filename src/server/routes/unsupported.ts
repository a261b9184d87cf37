import type { FastifyInstance } from 'fastify';
import { UNSUPPORTED_SCHEMA } from '../schemas.js';
import { EngineError, STATUS } from '../statuses.js';

/** Kinds of objects that only the Engine has, with its words for an unknown one. */
const KINDS: Readonly<Record<string, (name: string) => string>> = {
  containers: (name) => `No such container: ${name}`,
  networks: (name) => `network ${name} not found`,
  volumes: (name) => `get ${name}: no such volume`,
  exec: (name) => `No such exec instance: ${name}`,
  nodes: (name) => `node ${name} not found`,
  services: (name) => `service ${name} not found`,
  tasks: (name) => `task ${name} not found`,
  secrets: (name) => `secret ${name} not found`,
  configs: (name) => `config ${name} not found`,
  plugins: (name) => `plugin "${name}" not found`,
};

/** The end of a path that asks for a part of an object; it does not belong to the name. */
const FACET = /\/(?:json|logs|top|stats|changes|export|archive|attach\/ws)$/;

/** Single routes of the Engine that need containers, a builder or a swarm. */
const OTHERS = ['build', 'build/*', 'session', 'grpc', 'commit', 'swarm', 'swarm/*'] as const;

/**
 * Routes of the Engine that are not served. `docker inspect NAME` asks for a container, a network and so on of that
 * name, so reading an object by its name answers 404; everything else answers 501.
 */
export function unsupportedRoutes(app: FastifyInstance): void {
  const options = { schema: UNSUPPORTED_SCHEMA };
  app.get('/images/search', options, refuseSearch);
  for (const kind of Object.keys(KINDS)) {
    app.all(`/${kind}`, options, refuse);
    app.all<{ Params: { '*': string } }>(`/${kind}/*`, options, async ({ method, params }) => {
      const asked = params['*'];
      const isRead = method === 'GET' || method === 'HEAD';
      const isList = asked === '' || (kind === 'containers' && asked === 'json');
      if (!isRead || isList) return await refuse();
      throw new EngineError(STATUS.notFound, KINDS[kind]?.(asked.replace(FACET, '')) ?? 'not found');
    });
  }
  for (const path of OTHERS) app.all(`/${path}`, options, refuse);
}

async function refuse(): Promise<never> {
  const message = 'this server only keeps images: it runs no containers and builds nothing';
  throw new EngineError(STATUS.notImplemented, message);
}

async function refuseSearch(): Promise<never> {
  throw new EngineError(STATUS.notImplemented, 'this server does not search in registries');
}
