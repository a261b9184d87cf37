import { setMaxListeners } from 'node:events';
import { jsonLine } from '../index.js';
import { Registries } from '../registry/registries.js';
import type { Credentials } from '../registry/settings.js';
import type { Reply, Request, ServerContext } from './context.js';
import { credentialsInHeader } from './registry-auth.js';
import { EngineError, STATUS } from './statuses.js';

/** Registries as one request reaches them. */
export interface RequestRegistries {
  readonly registries: Registries;
  /** Aborted when the client goes away or the server no longer waits. */
  readonly signal: AbortSignal;
  /** What registries want their users to know, so far. */
  readonly warnings: readonly string[];
}

/** How a route speaks to a registry: for which request, and as whom. */
export interface RegistryCall {
  readonly request: Request;
  readonly reply: Reply;
  readonly host: string;
  /** Default: those of the request's header. */
  readonly credentials?: Credentials | undefined;
}

/**
 * Does work with a registry for one client. The client's credentials are shown to this registry and its token service
 * alone, and are forgotten with the request. Throws an EngineError for a registry that the client may not name.
 */
export async function withRegistry<Result>(
  context: ServerContext,
  { request, reply, host, ...given }: RegistryCall,
  work: (access: RequestRegistries) => Promise<Result>,
): Promise<Result> {
  const { settings, hosts } = checkedAccess(context, request, host);
  const credentials = given.credentials ?? credentialsInHeader(request.headers['x-registry-auth']);
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  if (request.raw.socket.destroyed) gone.abort();
  const signal = AbortSignal.any([context.halt, gone.signal]);
  // Every request to the registry listens for it.
  setMaxListeners(0, signal);
  const warnings: string[] = [];
  const registries = new Registries({
    ...settings,
    ...(credentials && {
      credentials: async (one: string) => (one === host ? credentials : undefined),
      credentialPlaces: 'the request',
    }),
    allowedRedirects: new Set([...settings.allowedRedirects, ...hosts]),
    refusesLinkLocal: true,
    onWarning: (message) => void warnings.push(message),
    signal,
  });
  try {
    return await work({ registries, signal, warnings });
  } finally {
    registries.close();
  }
}

/** Throws an EngineError: 501 without registries, 403 for one that this client may not name. */
function checkedAccess({ registries }: ServerContext, { client }: Request, host: string) {
  if (registries === undefined) {
    const message = 'this server does not speak to registries; use save and load';
    throw new EngineError(STATUS.notImplemented, message);
  }
  const { settings, hosts = client === 'unix' ? 'any' : [] } = registries;
  if (hosts === 'any') return { settings, hosts: [] };
  if (hosts.includes(host)) return { settings, hosts };
  const message = `this server does not speak to registry ${jsonLine(host)}; start it with --client-registries ${host} to allow it`;
  throw new EngineError(STATUS.forbidden, message);
}
