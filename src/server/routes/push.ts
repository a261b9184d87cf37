import type { FastifyInstance } from 'fastify';
import { copyToRegistry, type PushReport } from '../../copy/copy-to-registry.js';
import type { CopyOptions } from '../../copy/copy-images.js';
import {
  LadingError,
  parseReference,
  planExport,
  type Descriptor,
  type ExportPlan,
  type ImageRecord,
  type Platform,
  type Reference,
} from '../../index.js';
import { parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import { BlobLines, PUSH_WORDS } from '../blob-lines.js';
import type { Named, ServerContext } from '../context.js';
import { described } from '../described.js';
import { platformOf } from '../query.js';
import {
  repositoryLabel,
  runTransfer,
  shownName,
  warningLines,
  type RunningTransfer,
  type Transferred,
} from '../registry-transfer.js';
import { PUSH_SCHEMA } from '../registry-schemas.js';
import { EngineError, STATUS } from '../statuses.js';

interface PushRoute extends Named {
  readonly Querystring: { readonly tag?: string; readonly platform?: string };
}

/** The API version from which a push takes a platform. */
const PLATFORM_MINOR = 46;

/** Blobs of one push that go at once. */
const BLOB_JOBS = 4;

/** `POST /images/{name}/push`: images of the store to their registry; lines of JSON as the answer. */
export function pushRoute(app: FastifyInstance, context: ServerContext): void {
  app.post<PushRoute>('/images/:name/push', { schema: PUSH_SCHEMA }, async (request, reply) => {
    const { tag = '', platform = '' } = request.query;
    const { name } = request.params;
    const reference = parseRegistryReference(tag === '' ? name : `${name}:${tag}`);
    if (reference.digest !== undefined) throw new EngineError(STATUS.badRequest, 'cannot push a digest reference');
    const wanted = request.minor >= PLATFORM_MINOR && platform !== '' ? platformOf(platform) : undefined;
    return await runTransfer(context, { kind: 'push', request, reply, reference }, async (running) => {
      return await push(running, reference, wanted);
    });
  });
}

async function push(
  running: RunningTransfer,
  reference: Reference,
  wanted: Platform | undefined,
): Promise<Transferred> {
  const { context, output, warnings } = running;
  const records = await recordsOf(context, reference);
  const start = once(() => output.write({ status: `The push refers to repository [${repositoryLabel(reference)}]` }));
  const digests: string[] = [];
  let bytes = 0;
  for (const record of records) {
    const choice = await choose(context, record, wanted);
    const { pushed, report } = await pushImage(running, record, { choice, start });
    start();
    const { tag = '' } = parseReference(record.name ?? '');
    for (const line of warningLines(report.warnings.map(({ message }) => message))) output.write(line);
    output.write({ status: `${tag}: digest: ${pushed.digest} size: ${pushed.size}` });
    output.write({ progressDetail: {}, aux: { Tag: tag, Digest: pushed.digest, Size: pushed.size } });
    if (choice.instead !== undefined && pushed.digest !== record.descriptor.digest)
      output.write({ progressDetail: {}, aux: noteOf(record.descriptor, choice.instead) });
    const { image, repository } = shownName(parseReference(record.name ?? ''));
    context.events.emit('push', image, { name: repository });
    digests.push(pushed.digest);
    bytes += report.blobs.bytesCopied;
  }
  return { lines: warningLines(warnings), digests, moved: [], bytes };
}

/** The images of the name, or of every tag of the repository. Throws ERR_IMAGE_UNKNOWN as an EngineError. */
async function recordsOf({ store }: ServerContext, reference: Reference): Promise<readonly ImageRecord[]> {
  try {
    const found = await store.resolve([reference.toString()]);
    return found.filter(({ name }) => name !== undefined && parseReference(name).tag !== undefined);
  } catch (error) {
    if (!(error instanceof LadingError) || error.code !== 'ERR_IMAGE_UNKNOWN') throw error;
    const { repository } = shownName(reference);
    throw new EngineError(STATUS.notFound, `An image does not exist locally with the tag: ${repository}`);
  }
}

/** What of an image goes: `instead` is the one manifest that goes in the place of an index. */
interface Choice {
  readonly options: Pick<CopyOptions, 'platforms'>;
  readonly instead?: Descriptor | undefined;
}

/** All of it, if all is here; else what is here: registries refuse an index with parts left out. */
async function choose(
  context: ServerContext,
  { name = '', descriptor }: ImageRecord,
  wanted: Platform | undefined,
): Promise<Choice> {
  if (wanted !== undefined) return { options: { platforms: [wanted] } };
  const { images } = await planExport(context.store, [name], { hostPlatform: context.hostPlatform });
  const platforms = images.find((image) => image.digest === descriptor.digest)?.platforms ?? [];
  if (platforms.every(({ state }) => state === 'complete')) return { options: {} };
  const here = platforms.filter(({ state }) => state === 'complete');
  const options = { platforms: here.map(({ platform }) => platform) };
  const [only, ...more] = here;
  if (only === undefined || more.length > 0) return { options };
  for await (const { manifests } of described(context, [descriptor.digest])) {
    return { options, instead: manifests.find((one) => one.descriptor.digest === only.digest)?.descriptor };
  }
  return { options };
}

async function pushImage(
  { context, registries, output, signal }: RunningTransfer,
  { name = '', descriptor }: ImageRecord,
  { choice, start }: { readonly choice: Choice; readonly start: () => void },
): Promise<{ readonly pushed: { readonly digest: string; readonly size: number }; readonly report: PushReport }> {
  const reference = parseReference(name);
  const destination = registries.destination(
    repositoryOf(reference),
    { tag: reference.tag, blobJobs: BLOB_JOBS },
    await sourcesFor(context, reference, descriptor.digest),
  );
  let plan: ExportPlan | undefined;
  const report = await copyToRegistry(context.turns.dealReads(context.store), destination, [name], {
    ...choice.options,
    hostPlatform: context.hostPlatform,
    signal,
    blobJobs: BLOB_JOBS,
    onPlanned: (planned) => {
      plan = planned;
      start();
    },
    onBlob: new BlobLines(output, PUSH_WORDS, context.now).tell,
  });
  const digest = report.images.find((image) => image.name === name)?.digest ?? descriptor.digest;
  const entry = plan?.entries.find((one) => one.name.endsWith(digest.slice(digest.indexOf(':') + 1)));
  return { pushed: { digest, size: entry?.size ?? descriptor.size }, report };
}

/** Other repositories of the registry that have the same image, as far as the names here say: it may lend the blobs. */
async function sourcesFor({ store }: ServerContext, reference: Reference, digest: string): Promise<readonly string[]> {
  const { host, path } = repositoryOf(reference);
  const names = (await store.list()).flatMap(({ name, descriptor }) =>
    name !== undefined && descriptor.digest === digest ? [parseReference(name)] : [],
  );
  const others = names.map(repositoryOf).filter((other) => other.host === host && other.path !== path);
  return [...new Set(others.map((other) => other.path))].slice(0, MAX_SOURCES);
}

/** Repositories that are asked for each blob. */
const MAX_SOURCES = 4;

function noteOf(originalIndex: Descriptor, selectedManifest: Descriptor): object {
  return { manifestPushedInsteadOfIndex: true, originalIndex, selectedManifest };
}

function once(call: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) call();
    isDone = true;
  };
}
