import type { FastifyInstance } from 'fastify';
import { formatPlatformFull, labelOf, LadingError, planExport, type ExportPlan, type Platform } from '../../index.js';
import { audited } from '../audited.js';
import type { Named, Reply, Request, ServerContext } from '../context.js';
import { rangeOf } from '../byte-range.js';
import { isTrue, transferPlatforms } from '../query.js';
import { sendPlanned, type Asked, type Sent } from '../send-planned.js';
import { SAVE_NAMED_SCHEMA, SAVE_SCHEMA } from '../schemas.js';
import { EngineError, exportFailureOf, STATUS } from '../statuses.js';

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
  // Docker's own client sends one empty name if no image is named.
  const wanted = [...new Set(names)].filter((name) => name !== '');
  if (wanted.length === 0) throw new EngineError(STATUS.badRequest, 'no image was named');
  const platforms = transferPlatforms(platform, request.minor);
  await audited(context, request, { action: 'save', names: wanted }, async () => {
    await context.turns.quantum();
    const plan = await planFor(context, wanted, platforms, isTrue(strict));
    const isKnown = hasTag(request.headers['if-none-match'], etagOf(plan));
    const range = partAsked(request, plan);
    if (!isKnown && request.method !== 'HEAD' && range !== 'beyond') {
      return { result: undefined, facts: await send(context, request, reply, { plan, range }) };
    }
    describe(reply, plan);
    if (!isKnown && range === 'beyond') {
      reply.code(STATUS.rangeNotSatisfiable).header('Content-Range', `bytes */${plan.size}`).send();
      return { result: undefined };
    }
    if (isKnown) reply.code(STATUS.notModified).send();
    else reply.header('Content-Length', plan.size).send();
    return { result: undefined };
  });
  return reply;
}

/** The part that a GET asks for. One of another archive than this, by If-Range, is all of it. */
function partAsked({ method, headers }: Request, plan: ExportPlan): ReturnType<typeof rangeOf> {
  const condition = headers['if-range'];
  const isOfThis = condition === undefined || condition === etagOf(plan);
  return method === 'GET' && isOfThis ? rangeOf(headers.range, plan.size) : undefined;
}

async function planFor(
  { store, hostPlatform, halt }: ServerContext,
  names: readonly string[],
  platforms: readonly Platform[],
  isStrict: boolean,
): Promise<ExportPlan> {
  const missingPlatforms = isStrict ? 'fail' : 'skip';
  checkPairs((await store.resolve(names)).length * platforms.length);
  try {
    return await planExport(store, names, { platforms, missingPlatforms, hostPlatform, signal: halt });
  } catch (error) {
    const isUnavailable = error instanceof LadingError && error.code === 'ERR_PLATFORM_UNAVAILABLE';
    if (isStrict || !isUnavailable) throw error;
    const { code, details } = error;
    throw new LadingError(code, unavailableMessage(names, platforms), { details, cause: error });
  }
}

/** Most answers that a plan gives to "does this image have this platform?": they are made in one go. */
const MAX_PAIRS = 10_000;

function checkPairs(pairs: number): void {
  if (pairs <= MAX_PAIRS) return;
  const message = `images times platforms are ${pairs}, and one request may have ${MAX_PAIRS}; save them in several requests`;
  throw new EngineError(STATUS.badRequest, message);
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

/** The wanted platforms that are not in the archive: `example/app:1 linux/arm/v7 absent, …`, in ASCII. */
function missingOf({ images, leftOut }: ExportPlan): string {
  const shown: string[] = [];
  let [length, left] = [0, 0];
  for (const image of [...images, ...leftOut]) {
    for (const { platform, state } of image.platforms.filter(isMissing)) {
      // Beyond the limit they are only counted: images times platforms may be many.
      const text = length > MAX_HEADER_LENGTH ? '' : `${labelOf(image)} ${asciiOf(platform)} ${state}`;
      length += text.length + 2;
      if (length > MAX_HEADER_LENGTH) left += 1;
      else shown.push(text);
    }
  }
  return [...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(', ');
}

function isMissing({ state }: ExportPlan['images'][number]['platforms'][number]): boolean {
  return state === 'missing' || state === 'absent';
}

/** Clients take about 16 KiB of headers in all. */
const MAX_HEADER_LENGTH = 4096;

/** A text for a list in a header: blanks, commas and non-ASCII percent-encoded, as platform versions are already. */
function asciiOf(text: string): string {
  return text.replaceAll(/[^!-+\--~]/gu, (odd) =>
    Buffer.from(odd).toString('hex').toUpperCase().replaceAll(/../g, '%$&'),
  );
}

/** A strong tag: all bytes follow from the plan, by this version of the layout of archives. */
function etagOf({ digest }: ExportPlan): string {
  return `"lading-1-${digest.slice(digest.indexOf(':') + 1)}"`;
}

/** The headers that every answer about an archive has. */
function describe(reply: Reply, plan: ExportPlan): void {
  const missing = missingOf(plan);
  reply.header('ETag', etagOf(plan)).header('Accept-Ranges', 'bytes').type('application/x-tar');
  if (missing !== '') reply.header('Lading-Missing-Platforms', missing);
}

/** Sends the archive as one transfer. Returns when the answer has ended, whole or broken. */
async function send(
  context: ServerContext,
  request: Request,
  reply: Reply,
  { plan, range }: Asked,
): Promise<Sent & { readonly digests: readonly string[] }> {
  // Before the first header: a refusal must not look like the archive.
  const transfer = context.transfers.start('save');
  try {
    describe(reply, plan);
    const { start, end } = range ?? { start: 0, end: plan.size };
    reply.header('Content-Length', end - start);
    if (range !== undefined)
      reply.code(STATUS.partialContent).header('Content-Range', `bytes ${start}-${end - 1}/${plan.size}`);
    const sent = await sendPlanned(context, request, reply, { plan, range });
    transfer.end(sent);
    if (sent.code !== 'OK') context.metrics.errors.inc({ code: sent.code });
    for (const image of sent.code === 'OK' ? plan.images : [])
      context.events.emit('save', image.digest, { name: labelOf(image) });
    return { digests: plan.images.map(({ digest }) => digest), ...sent };
  } catch (error) {
    transfer.end({ code: exportFailureOf(error).code, bytes: 0 });
    throw error;
  }
}
