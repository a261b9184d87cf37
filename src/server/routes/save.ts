import type { FastifyInstance } from 'fastify';
import type { Readable } from 'node:stream';
import {
  exportImages,
  formatPlatformFull,
  labelOf,
  LadingError,
  planExport,
  type ExportPlan,
  type Platform,
} from '../../index.js';
import { audit } from '../audited.js';
import type { Named, Reply, Request, ServerContext } from '../context.js';
import { isTrue, transferPlatforms } from '../query.js';
import { SAVE_NAMED_SCHEMA, SAVE_SCHEMA } from '../schemas.js';
import { EngineError, exportFailureOf, STATUS } from '../statuses.js';
import type { Transfer } from '../transfers.js';

interface SaveQuery {
  readonly names?: readonly string[];
  readonly platform?: readonly string[];
  readonly strict?: string;
}

/** `GET /images/get` and `GET /images/{name}/get`, and HEAD of both: images as one archive. */
export function saveRoutes(app: FastifyInstance, context: ServerContext): void {
  const method = ['GET', 'HEAD'];
  app.route<{ Querystring: SaveQuery }>({
    method,
    url: '/images/get',
    schema: SAVE_SCHEMA,
    handler: async (request, reply) => await save(context, request, reply, request.query.names ?? [], request.query),
  });
  app.route<Named & { Querystring: SaveQuery }>({
    method,
    url: '/images/:name/get',
    schema: SAVE_NAMED_SCHEMA,
    handler: async (request, reply) => await save(context, request, reply, [request.params.name], request.query),
  });
}

async function save(
  context: ServerContext,
  request: Request,
  reply: Reply,
  names: readonly string[],
  { platform, strict }: SaveQuery,
): Promise<Reply> {
  const started = context.now();
  // Docker's own client sends an empty name for none.
  const wanted = names.filter((name) => name !== '');
  if (wanted.length === 0) throw new EngineError(STATUS.badRequest, 'no image was named');
  const platforms = transferPlatforms(platform, request.minor);
  await context.turns.quantum();
  let transfer: Transfer | undefined;
  try {
    const plan = await planFor(context, wanted, platforms, isTrue(strict));
    const etag = JSON.stringify(plan.digest);
    const missing = missingOf(plan);
    const isKnown = hasTag(request.headers['if-none-match'], etag);
    // Before the first header: a refusal must not look like the archive.
    transfer = isKnown || request.method === 'HEAD' ? undefined : context.transfers.start('save');
    reply.header('ETag', etag).type('application/x-tar');
    if (missing !== '') reply.header('Lading-Missing-Platforms', missing);
    if (isKnown) return await reply.code(STATUS.notModified).send();
    reply.header('Content-Length', plan.size);
    if (transfer === undefined) return await reply.send();
    return await send(context, request, reply, { plan, names: wanted, started, transfer });
  } catch (error) {
    transfer?.end({ code: exportFailureOf(error).code, bytes: 0 });
    audit(context, request, started, { action: 'save', names: wanted, code: exportFailureOf(error).code });
    throw error;
  }
}

async function planFor(
  { store, hostPlatform, halt }: ServerContext,
  names: readonly string[],
  platforms: readonly Platform[],
  isStrict: boolean,
): Promise<ExportPlan> {
  const missingPlatforms = isStrict ? 'fail' : 'skip';
  try {
    return await planExport(store, names, { platforms, missingPlatforms, hostPlatform, signal: halt });
  } catch (error) {
    const isUnavailable = error instanceof LadingError && error.code === 'ERR_PLATFORM_UNAVAILABLE';
    if (isStrict || !isUnavailable) throw error;
    const { code, details } = error;
    throw new LadingError(code, unavailableMessage(names, platforms), { details, cause: error });
  }
}

/** The Engine's words. */
function unavailableMessage([name = '']: readonly string[], [platform, ...more]: readonly Platform[]): string {
  if (platform === undefined || more.length > 0) return 'no manifest found for platform: not found';
  const wanted = formatPlatformFull(platform);
  return `no suitable export target found: image with reference ${name} was found but does not provide the specified platform (${wanted})`;
}

/** Whether an If-None-Match header has the tag: any, or a list of them, weak or not (RFC 9110, section 13.1.2). */
function hasTag(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** What was wanted and is not in the archive: `example/app:1 linux/arm/v7 absent, …`, in ASCII. */
function missingOf({ images }: ExportPlan): string {
  const missing = images.flatMap((image) =>
    image.platforms
      .filter(({ state }) => state === 'missing' || state === 'absent')
      .map(({ platform, state }) => `${labelOf(image)} ${asciiOf(platform)} ${state}`),
  );
  let length = 0;
  const told = missing.filter((text) => (length += text.length + 2) <= MAX_HEADER_LENGTH);
  const untold = missing.length - told.length;
  return [...told, ...(untold > 0 ? [`and ${untold} more`] : [])].join(', ');
}

/** Clients take about 16 KiB of headers in all. */
const MAX_HEADER_LENGTH = 4096;

/** Fit for a list in a header: blanks, commas and what is not ASCII percent-encoded, as the versions of a platform are already. */
function asciiOf(text: string): string {
  return text.replaceAll(/[^!-+\--~]/gu, (odd) =>
    Buffer.from(odd).toString('hex').toUpperCase().replaceAll(/../g, '%$&'),
  );
}

interface Sending {
  readonly plan: ExportPlan;
  readonly names: readonly string[];
  readonly started: number;
  readonly transfer: Transfer;
}

/** Sends the archive. Whatever goes wrong from here on breaks the connection: an archive never ends well by mistake. */
async function send(
  context: ServerContext,
  request: Request,
  reply: Reply,
  { plan, names, started, transfer }: Sending,
): Promise<Reply> {
  const archive = exportImages(context.turns.dealReads(context.store), plan, { signal: context.halt });
  const { socket } = request.raw;
  const before = socket.bytesWritten;
  let failed: unknown;
  archive.once('error', (error) => {
    failed = error;
  });
  onceClosed(reply, () => {
    archive.destroy();
    const code = codeOf(reply, archive, failed);
    // What the socket counts has the headers in it.
    const bytes = code === 'OK' ? plan.size : Math.min(plan.size, socket.bytesWritten - before);
    transfer.end({ code, bytes });
    const digests = plan.images.map(({ digest }) => digest);
    audit(context, request, started, { action: 'save', names, digests, code, bytes });
    if (code !== 'OK') context.metrics.errors.inc({ code });
    for (const image of code === 'OK' ? plan.images : [])
      context.events.emit('save', image.digest, { name: labelOf(image) });
  });
  return await reply.send(archive);
}

/** At the end of the answer, or at once where its client went away before. */
function onceClosed({ raw }: Reply, done: () => void): void {
  if (raw.destroyed || raw.req.socket.destroyed) done();
  else raw.once('close', done);
}

function codeOf(reply: Reply, archive: Readable, failed: unknown): string {
  if (reply.raw.writableFinished && archive.readableEnded) return 'OK';
  return failed === undefined ? 'CLIENT_GONE' : exportFailureOf(failed).code;
}
