import type { FastifyInstance } from 'fastify';
import {
  labelOf,
  loadImages,
  parseReference,
  type ActiveBlob,
  type LoadOptions,
  type LoadReport,
} from '../../index.js';
import { inDockersWords } from '../advice.js';
import { audited } from '../audited.js';
import type { Request, ServerContext } from '../context.js';
import { decisionsIn, decisionsOf, type Decision } from '../decisions.js';
import { LineOutput } from '../line-output.js';
import { isTrue, transferPlatforms } from '../query.js';
import { shortId } from '../short-id.js';
import { LOAD_SCHEMA } from '../schemas.js';
import { failureOf } from '../statuses.js';
import { MAX_THREADED } from '../transfers.js';
import { Upload } from '../upload.js';

interface LoadRoute {
  readonly Querystring: {
    readonly quiet?: string;
    readonly platform?: readonly string[];
    readonly strict?: string;
    readonly name?: string;
    readonly image?: string;
  };
}

/** `POST /images/load`: an archive as the body, lines of JSON as the answer. */
export function loadRoute(app: FastifyInstance, context: ServerContext): void {
  app.post<LoadRoute>('/images/load', { schema: LOAD_SCHEMA }, async (request, reply) => {
    const { quiet = '1', platform, strict, name = '', image = '' } = request.query;
    const platforms = transferPlatforms(platform, request.minor);
    const output = new LineOutput(reply);
    const options: LoadOptions = {
      platforms,
      missingPlatforms: isTrue(strict) ? 'fail' : 'skip',
      hostPlatform: context.hostPlatform,
      signal: context.halt,
      ...context.trust,
      ...(name !== '' && { name }),
      ...(image !== '' && { images: [image] }),
      ...(!isTrue(quiet) && { onProgress: progressTo(output) }),
    };
    await runLoad(context, request, output, options);
    return reply;
  });
}

/** How a load ended: with a report, or with the cause of its failure. */
type Ended =
  | { readonly code: 'OK'; readonly report: LoadReport }
  | { readonly code: string; readonly report?: never; readonly cause: unknown };

async function runLoad(
  context: ServerContext,
  request: Request,
  output: LineOutput,
  options: LoadOptions,
): Promise<void> {
  const ended = await audited(context, request, { action: 'load' }, async () => {
    const transfer = context.transfers.start('load');
    const upload = new Upload(request.raw, context);
    const result = await loadFrom(upload, context, request, options);
    const { code, report } = result;
    const facts = report ? factsOf(report) : decisionsIn(result.cause);
    transfer.end({ code, bytes: upload.bytes });
    return { result, facts: { code, bytes: upload.bytes, ...facts } };
  });
  if (ended.report !== undefined) return output.end(linesOf(ended.report));
  // The error handler counts an error that becomes the status.
  if (!output.fail(ended.cause) && ended.code !== 'CLIENT_GONE') throw ended.cause;
  context.metrics.errors.inc({ code: ended.code });
}

async function loadFrom(
  upload: Upload,
  { store, events, transfers }: ServerContext,
  request: Request,
  options: LoadOptions,
): Promise<Ended> {
  try {
    const threads = isLarge(request) && transfers.active <= MAX_THREADED.load;
    const report = await loadImages(store, upload, { ...options, threads });
    for (const image of report.images) events.emit('load', image.digest, { name: labelOf(image) });
    return { code: 'OK', report };
  } catch (error) {
    // The reason why the body ended explains the failure better than the loader's own error.
    const cause = upload.failure ?? error;
    return { code: request.raw.socket.destroyed ? 'CLIENT_GONE' : failureOf(cause).code, cause };
  }
}

/** A smaller archive is here before threads have started. */
const MIN_THREADED_BYTES = 16 * 1024 * 1024;

/** Whether the archive is large, as far as its length is known. */
function isLarge({ headers }: Request): boolean {
  const length = headers['content-length'];
  return length === undefined || Number(length) >= MIN_THREADED_BYTES;
}

function factsOf({ images, moved, trust }: LoadReport): {
  readonly digests: readonly string[];
  readonly moved: LoadReport['moved'];
  readonly decisions?: readonly Decision[];
} {
  return { digests: images.map(({ digest }) => digest), moved, ...decisionsOf(trust) };
}

/** An image that lost its name to another one stays in the store, so that is told, too. */
function linesOf({ images, moved, warnings }: LoadReport): readonly object[] {
  return [
    ...warnings.map(({ message }) => ({ stream: `warning: ${inDockersWords(message.replace(NAME_OPTION, ''))}\n` })),
    ...moved.flatMap(({ name, from }) =>
      from === undefined ? [] : [{ stream: `Moved name: ${parseReference(name).familiar()} (before: ${from})\n` }],
    ),
    ...images.map((image) => ({
      stream: `Loaded ${kindOf(image)}: ${labelOf(image)}\n`,
    })),
  ];
}

/** A signature or the like is no image of its own: clients take what is told as one for something to run. */
function kindOf({ name, companionOf }: LoadReport['images'][number]): string {
  if (companionOf !== undefined) return 'companion';
  return name === undefined ? 'image ID' : 'image';
}

/** Advice that docker load has no option for. */
const NAME_OPTION = '; or load again with --name REPO';

/** The progress of a load as lines. */
function progressTo(output: LineOutput): NonNullable<LoadOptions['onProgress']> {
  const tell = (status: string, { id, current, total }: ActiveBlob): void => {
    if (output.isFull) return;
    output.write({ status, id: ALGORITHM.test(id) ? shortId(id) : id, progressDetail: { current, total } });
  };
  return (event) => {
    if (event.type === 'progress') for (const blob of event.active) tell('Loading blob', blob);
    if (event.type === 'blob' && event.state === 'done') tell('Loaded blob', { ...event, current: event.total });
  };
}

/** A blob has its digest as its id; a file of a docker-archive has its name. */
const ALGORITHM = /^sha\d+:/;
