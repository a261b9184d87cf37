import type { FastifyInstance } from 'fastify';
import {
  formatPlatformFull,
  inspectImages,
  inspectionPage,
  inspectionReportOf,
  PAGE_POLICY,
  parseDigest,
  parseReference,
  storePage,
  type ImageDescription,
  type StoredImage,
} from '../../index.js';
import type { Reply, Request, ServerContext } from '../context.js';
import { described } from '../described.js';
import { EngineError, STATUS } from '../statuses.js';

interface UiRoute {
  readonly Params: { readonly digest: string };
}

/** Not a part of the Engine API, so its document does not have it. */
const HIDDEN = { schema: { hide: true } } as const;

/** `GET /ui` and `/ui/{digest}`: pages of the store's images, for reading only. */
export function uiRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get('/ui', HIDDEN, async (request, reply) => {
    checkAllowed(request, context);
    const page = await context.answers.gather(async () => {
      const images: StoredImage[] = [];
      for await (const image of described(context)) images.push(storedImageOf(image));
      return storePage(images);
    });
    return await send(reply, page);
  });
  app.get<UiRoute>('/ui/:digest', HIDDEN, async (request, reply) => {
    checkAllowed(request, context);
    const digest = parseDigest(request.params.digest);
    const page = await context.answers.gather(async () =>
      inspectionPage(inspectionReportOf(await inspectImages(context.store, digest))),
    );
    return await send(reply, page);
  });
}

/** Over TCP the pages are there only if the server was told so: then they look like any unknown path. */
function checkAllowed({ raw }: Pick<Request, 'raw'>, { uiOnTcp }: ServerContext): void {
  if (raw.socket.remoteAddress !== undefined && !uiOnTcp) throw new EngineError(STATUS.notFound, 'page not found');
}

async function send(reply: Reply, page: string): Promise<void> {
  await reply
    .headers({
      'Content-Security-Policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    })
    .type('text/html; charset=utf-8')
    .send(page);
}

function storedImageOf({ names, descriptor, manifests, present }: ImageDescription): StoredImage {
  let size = 0;
  for (const bytes of present.values()) size += bytes;
  const platforms = manifests
    .filter(({ kind }) => kind === 'image')
    .map(({ platform, available }) => {
      const text = platform === undefined ? 'unknown' : formatPlatformFull(platform);
      return available ? text : `${text} (not complete)`;
    });
  return { names: names.map((name) => parseReference(name).familiar()), digest: descriptor.digest, size, platforms };
}
