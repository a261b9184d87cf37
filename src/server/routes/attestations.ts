import type { FastifyInstance } from 'fastify';
import type { Named, ServerContext } from '../context.js';
import { isTrue } from '../query.js';
import { ATTESTATIONS_SCHEMA } from '../schemas.js';
import { readStatement, statementsOf } from '../statements.js';
import { EngineError, STATUS } from '../statuses.js';
import { nothingComplete, showImage } from './inspect.js';

interface AttestationsRoute extends Named {
  readonly Querystring: {
    readonly platform?: readonly string[];
    readonly type?: readonly string[];
    readonly statement?: string;
  };
}

/** The API version that brought the route. */
const SINCE_MINOR = 55;

/** `GET /images/{name}/attestations`: the in-toto statements about one platform, the host's unless one is named. */
export function attestationsRoute(app: FastifyInstance, context: ServerContext): void {
  app.get<AttestationsRoute>('/images/:name/attestations', { schema: ATTESTATIONS_SCHEMA }, async (request, reply) => {
    if (request.minor < SINCE_MINOR) throw new EngineError(STATUS.notFound, 'page not found');
    const { platform = [], type = [], statement } = request.query;
    const [wanted, ...more] = platform.filter((text) => text !== '');
    if (more.length > 0) throw new EngineError(STATUS.badRequest, 'only one platform may be specified');
    const items = await context.answers.gather(
      async () =>
        await itemsOf(context, request.params.name, { wanted, types: new Set(type), withText: isTrue(statement) }),
    );
    return await reply.type('application/json').send(`[${items.join(',')}]`);
  });
}

interface Asked {
  readonly wanted: string | undefined;
  readonly types: ReadonlySet<string>;
  readonly withText: boolean;
}

/** Each item as JSON: a statement goes into it byte for byte. */
async function itemsOf(
  context: ServerContext,
  name: string,
  { wanted, types, withText }: Asked,
): Promise<readonly string[]> {
  const { image, shown } = await showImage(context, name, wanted);
  if (shown === undefined) throw nothingComplete(name);
  const items: string[] = [];
  for (const { layer, type } of await statementsOf(context.store, image, shown.descriptor.digest)) {
    if (types.size > 0 && !types.has(type)) continue;
    const item = JSON.stringify({ Descriptor: layer, PredicateType: type });
    items.push(
      withText ? `${item.slice(0, -1)},"Statement":${(await readStatement(context.store, layer)).text}}` : item,
    );
  }
  return items;
}
