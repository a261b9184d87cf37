import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../context.js';
import { METRICS_SCHEMA, OPENAPI_SCHEMA, PROBE_SCHEMA } from '../schemas.js';
import { STATUS } from '../statuses.js';

/** `GET /livez`, `/readyz`, `/metrics`, `/openapi.json`: for the operators of the server. */
export function operationRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get('/livez', { schema: PROBE_SCHEMA }, async (_request, reply) => await reply.type('text/plain').send('ok\n'));
  app.get('/readyz', { schema: PROBE_SCHEMA }, async (_request, reply) => {
    const why = await unreadyBecause(context);
    return await reply
      .code(why === undefined ? STATUS.ok : STATUS.unavailable)
      .type('text/plain')
      .send(`${why ?? 'ok'}\n`);
  });
  app.get('/metrics', { schema: METRICS_SCHEMA }, async (_request, reply) => {
    const { metrics, store, now } = context;
    return await reply.type(metrics.registry.contentType).send(await metrics.text(store, now()));
  });
  app.get('/openapi.json', { schema: OPENAPI_SCHEMA }, () => app.swagger());
}

async function unreadyBecause({ store, stopping, onError }: ServerContext): Promise<string | undefined> {
  if (stopping.aborted) return 'stopping';
  try {
    await store.list();
    return undefined;
  } catch (error) {
    onError(error);
    return 'the store cannot be read';
  }
}
