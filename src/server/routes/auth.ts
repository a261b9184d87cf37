import type { FastifyInstance } from 'fastify';
import { LadingError } from '../../index.js';
import { parseHost } from '../../registry/registry-name.js';
import type { Request, ServerContext } from '../context.js';
import { withRegistry } from '../registry-access.js';
import { credentialsIn, fieldsOf } from '../registry-auth.js';
import { AUTH_SCHEMA } from '../registry-schemas.js';
import { EngineError, failureOf, STATUS } from '../statuses.js';
import { Upload } from '../upload.js';

/** The longest body: the longest header of credentials, and some. */
const MAX_BYTES = 64 * 1024;

/** `POST /auth`: asks a registry whether it takes credentials. Nothing is kept. */
export function authRoute(app: FastifyInstance, context: ServerContext): void {
  app.post('/auth', { schema: AUTH_SCHEMA }, async (request, reply) => {
    const fields = fieldsOf(await readText(context, request));
    const { serveraddress } = fields;
    const host = typeof serveraddress === 'string' && serveraddress !== '' ? parseHost(serveraddress) : 'docker.io';
    const credentials = credentialsIn(fields);
    if (credentials === undefined) throw new EngineError(STATUS.badRequest, 'the request has no credentials');
    try {
      await withRegistry(context, { request, reply, host, credentials }, async ({ registries }) => {
        await registries.checkLogin(host);
      });
    } catch (error) {
      if (!(error instanceof LadingError) || error.code !== 'ERR_REGISTRY_AUTH') throw error;
      throw new EngineError(STATUS.unauthorized, `unauthorized: ${failureOf(error).message}`);
    }
    return { Status: 'Login Succeeded', IdentityToken: '' };
  });
}

async function readText(context: ServerContext, { raw }: Request): Promise<string> {
  const upload = new Upload(raw, context);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of upload as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new EngineError(STATUS.contentTooLarge, `the body has more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw upload.failure ?? error;
  }
  return Buffer.concat(chunks).toString('utf8');
}
