import type { FastifyInstance } from 'fastify';
import { copyImages, type CopyOptions, type CopyReport } from '../../copy/copy-images.js';
import { isSparseRefusal, withRewritten } from '../../copy/copy-to-registry.js';
import {
  formatPlatformFull,
  LadingError,
  parsePlatform,
  parseReference,
  planExport,
  withReads,
  type ImageRecord,
  type ImageSource,
  type NameMove,
  type Platform,
  type TrustReport,
} from '../../index.js';
import { isIndexType } from '../../model/media-types.js';
import { parseRegistryReference } from '../../registry/registry-name.js';
import { BlobLines, PULL_WORDS } from '../blob-lines.js';
import type { ServerContext } from '../context.js';
import { decisionsOf } from '../decisions.js';
import { runTransfer, shownName, warningLines, type RunningTransfer, type Transferred } from '../registry-transfer.js';
import { PULL_SCHEMA } from '../registry-schemas.js';
import { EngineError, STATUS } from '../statuses.js';

interface PullRoute {
  readonly Querystring: {
    readonly fromImage?: string;
    readonly fromSrc?: string;
    readonly tag?: string;
    readonly platform?: string;
  };
}

/** The API version from which a pull takes a platform. */
const PLATFORM_MINOR = 32;

/** `POST /images/create`: images of a registry into the store; lines of JSON as the answer. */
export function pullRoute(app: FastifyInstance, context: ServerContext): void {
  app.post<PullRoute>('/images/create', { schema: PULL_SCHEMA }, async (request, reply) => {
    const { platform = '' } = request.query;
    const reference = parseRegistryReference(nameIn(request.query));
    const wanted = request.minor >= PLATFORM_MINOR && platform !== '' ? [parsePlatform(platform)] : undefined;
    return await runTransfer(context, { kind: 'pull', request, reply, reference }, async (running) => {
      return await pull(running, reference.toString(), wanted);
    });
  });
}

/** The name that a pull asks for; without a tag it means every tag of the repository, as in the Engine. */
function nameIn({ fromImage = '', fromSrc = '', tag = '' }: PullRoute['Querystring']): string {
  if (fromSrc !== '') {
    const message = 'this server cannot make an image from a file system; use load for an archive that save wrote';
    throw new EngineError(STATUS.notImplemented, message);
  }
  if (fromImage === '') throw new EngineError(STATUS.badRequest, 'no image was named: fromImage is empty');
  const name = fromImage.replace(/:$/, '');
  if (tag === '') return name;
  return `${name}${tag.includes(':') ? '@' : ':'}${tag}`;
}

/** One image that was pulled. */
interface Pulled {
  readonly digest: string;
  readonly moved: readonly NameMove[];
  readonly trust: readonly TrustReport[];
  readonly bytes: number;
  readonly isNewer: boolean;
}

async function pull(
  running: RunningTransfer,
  name: string,
  wanted: readonly Platform[] | undefined,
): Promise<Transferred> {
  const { context, registries, warnings } = running;
  const source = withReads(registries.source(), (chunks) => context.turns.deal(chunks));
  const images: Pulled[] = [];
  for (const record of await source.resolve([name])) images.push(await pullImage(running, source, record, wanted));
  const { image } = shownName(parseReference(name));
  const isNewer = images.some((one) => one.isNewer);
  const status = `Status: ${isNewer ? 'Downloaded newer image for' : 'Image is up to date for'} ${image}`;
  return {
    lines: [...warningLines(warnings), { status }],
    digests: images.map(({ digest }) => digest),
    moved: images.flatMap(({ moved }) => moved),
    ...decisionsOf(images.flatMap(({ trust }) => trust)),
    bytes: images.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function pullImage(
  { context, output, signal }: RunningTransfer,
  source: ImageSource,
  record: ImageRecord,
  wanted: readonly Platform[] | undefined,
): Promise<Pulled> {
  const { name = '', descriptor } = record;
  const reference = parseReference(name);
  const platforms = wanted ?? defaultPlatforms(context, record);
  output.write({ status: `Pulling from ${reference.path}`, id: reference.tag ?? descriptor.digest });
  const isHere = await hasAlready(context, record, platforms);
  const report = isHere
    ? undefined
    : await copy(context, source, record, {
        platforms,
        hostPlatform: context.hostPlatform,
        signal,
        ...context.trust,
        onBlob: new BlobLines(output, PULL_WORDS, context.now).tell,
      }).catch((error: unknown) => {
        throw withoutPlatform(error, wanted ?? [context.hostPlatform]);
      });
  const digest = report?.images.find((image) => image.name === name)?.digest ?? descriptor.digest;
  for (const line of warningLines(report?.warnings.map(({ message }) => message) ?? [])) output.write(line);
  output.write({ status: `Digest: ${digest}` });
  const { image, repository } = shownName(reference);
  context.events.emit('pull', image, { name: repository });
  const { moved = [], trust = [], blobs } = report ?? {};
  const isNewer = moved.length > 0 || (blobs?.copied ?? 0) > 0;
  return { digest, moved, trust, bytes: blobs?.bytesCopied ?? 0, isNewer };
}

/** The name means what it means in the registry, also if only some platforms come, unless the store cannot have that. */
async function copy(
  context: ServerContext,
  source: ImageSource,
  record: ImageRecord,
  options: CopyOptions,
): Promise<CopyReport> {
  const { name = '' } = record;
  try {
    return await copyImages(source, context.store, [name], { ...options, index: 'preserve' });
  } catch (error) {
    if (!isSparseRefusal(error)) throw error;
    return withRewritten(await copyImages(source, context.store, [name], { ...options, index: 'rewrite' }), [record]);
  }
}

/** As the server was started: the best for the host, all, or a list. An image of one platform comes whatever it is. */
function defaultPlatforms(context: ServerContext, { descriptor }: ImageRecord): readonly (string | Platform)[] {
  const { pullPlatforms = 'host' } = context.registries ?? {};
  if (pullPlatforms === 'all' || !isIndexType(descriptor.mediaType)) return [];
  return pullPlatforms === 'host' ? ['local'] : pullPlatforms;
}

/** Whether the store has the name, with this image, and all that is wanted of it. */
async function hasAlready(
  { store, hostPlatform }: ServerContext,
  { name = '', descriptor }: ImageRecord,
  platforms: readonly (string | Platform)[],
): Promise<boolean> {
  const holders = await store.holders([name]);
  if (holders.get(name) !== descriptor.digest) return false;
  try {
    const { images } = await planExport(store, [name], { platforms, hostPlatform, index: 'preserve' });
    return platforms.length > 0 || images.every((image) => image.platforms.every(({ state }) => state === 'complete'));
  } catch (error) {
    if (error instanceof LadingError && error.category === 'not-found') return false;
    throw error;
  }
}

function withoutPlatform(error: unknown, platforms: readonly Platform[]): unknown {
  if (!(error instanceof LadingError) || error.code !== 'ERR_PLATFORM_UNAVAILABLE') return error;
  const wanted = platforms.map(formatPlatformFull).join(', ');
  const message = `no matching manifest for ${wanted} in the manifest list entries`;
  return new LadingError(error.code, message, { cause: error, details: error.details });
}
