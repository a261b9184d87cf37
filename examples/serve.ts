import type { Store } from '../src/index.js';
import { auditLine, EngineServer } from '../src/server/index.js';

/** Serves a store to the docker command on a unix socket, until SIGTERM. */
export async function serve(store: Store, path: string): Promise<EngineServer> {
  const server = new EngineServer(store, { audit: (record) => console.error(auditLine(record)) });
  console.log(`listening on ${await server.listen({ kind: 'unix', path })}`);
  process.once('SIGTERM', () => void server.stop({ graceMs: 30_000 }));
  return server;
}
