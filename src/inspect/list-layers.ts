import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { sideBySide } from '../flow/side-by-side.js';
import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import { IMAGES } from '../load/load-images.js';
import type { Content } from '../model/content.js';
import { parseDigest, type Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { contentOf } from '../model/image-manifest.js';
import { limitsOf, type Limits } from '../model/limits.js';
import type { Platform } from '../model/platform.js';
import { check, listOf, milliseconds, optionsOf, PLATFORM, TEXT } from '../model/rules.js';
import { byDigest } from '../model/thin-list.js';
import { STORE } from '../stores/port-rules.js';
import type { SourceReader, Store } from '../stores/store.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { NAMES, PLATFORMS, READING_RULES } from '../survey/option-rules.js';
import { surveyImages } from '../survey/survey-images.js';
import { openArchiveDocuments } from './archive-documents.js';

/** Which layers to list. */
export interface ListArchiveLayersOptions {
  /** Only those of these images; none: all. */
  readonly images?: readonly string[];
  /** Only those of these platforms; none: all. */
  readonly platforms?: readonly (string | Platform)[];
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** Which layers of a store to list, and how long it keeps them. */
export interface ListLayersOptions extends ListArchiveLayersOptions {
  /** Only those of these digests. Without images they are looked up, and no image is read. */
  readonly among?: readonly string[];
  /** So long, in milliseconds, a prune keeps what was listed. Default: not at all. */
  readonly holdMs?: number;
}

const RULES = { ...READING_RULES, images: IMAGES, platforms: PLATFORMS, hostPlatform: PLATFORM };

const ARCHIVE_ARGUMENTS = { source: ARCHIVE, options: optionsOf<ListArchiveLayersOptions>(RULES) };

const STORE_ARGUMENTS = {
  store: STORE,
  options: optionsOf<ListLayersOptions>({
    ...RULES,
    images: NAMES,
    among: listOf(TEXT, 'a list of digests'),
    holdMs: milliseconds(),
  }),
};

/** How many layers are looked up at once. */
const LOOKUPS = 16;

/**
 * The layers that a store has, by digest: of all of its images, of some, or those of some digests. With `holdMs` they are
 * safe from removal for so long, as those of an interrupted load are; a store in memory keeps nothing. Throws
 * ERR_IMAGE_UNKNOWN, ERR_DIGEST_INVALID, and ERR_STORE_READONLY for a store that can keep nothing. Holds a digest for
 * each layer.
 */
export async function listLayers(store: Store, options: ListLayersOptions = {}): Promise<readonly Content[]> {
  check(STORE_ARGUMENTS, { store, options });
  const { images = [], holdMs = 0 } = options;
  const among = options.among && new Set(options.among.map(parseDigest));
  const session = holdMs > 0 ? await store.session() : undefined;
  const reader = session ?? (await store.reader());
  let isHeld = false;
  try {
    const wanted =
      among !== undefined && images.length === 0
        ? among
        : new Set((await layersOf(reader, await recordsOf(store, images), options)).keys());
    const asked = [...wanted].filter((digest) => among?.has(digest) ?? true);
    const layers = await present(reader, asked);
    isHeld = session !== undefined;
    return layers;
  } finally {
    if (session === undefined || !isHeld) await reader.end();
    else await session.end({ holdMs });
  }
}

/** The layers that an archive has, by digest. Reads its documents, and no layer that has its digest as its name. */
export async function listArchiveLayers(
  source: LoadSource,
  options: ListArchiveLayersOptions = {},
): Promise<readonly Content[]> {
  check(ARCHIVE_ARGUMENTS, { source, options });
  const { images = [], limits, signal } = options;
  const reading = { images, ...(limits && { limits }), ...(signal && { signal }) };
  const { store, has } = await openArchiveDocuments(source, reading, true);
  const layers = await layersOf(store, await store.list(), options);
  return sorted([...layers].filter(([digest]) => has(digest)));
}

async function recordsOf(store: Store, images: readonly string[]): Promise<readonly ImageRecord[]> {
  return images.length === 0 ? await store.list() : await store.resolve(images);
}

/** The layers that the manifests of the records list, also of platforms that are not complete. */
async function layersOf(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  options: ListArchiveLayersOptions,
): Promise<ReadonlyMap<Digest, number>> {
  const documents = new Documents(provider, { limits: limitsOf(options.limits), onDamage: () => {} });
  const platforms = parseRequest(options.platforms, options.hostPlatform ?? hostPlatform());
  const { nodes } = await surveyImages(documents, records, { platforms, signal: options.signal });
  const layers = new Map<Digest, number>();
  for (const { node } of nodes) {
    const manifest = node.kind === 'manifest' ? await documents.manifest(node.descriptor) : undefined;
    if (manifest === undefined) continue;
    for (const { digest, size } of contentOf(manifest)) if (digest !== manifest.config.digest) layers.set(digest, size);
  }
  return layers;
}

/** Claims them first, so that what is found stays. */
async function present(reader: SourceReader, digests: readonly Digest[]): Promise<readonly Content[]> {
  const found = new Map<Digest, number>();
  await reader.claim(digests);
  await sideBySide(digests, LOOKUPS, async (digest) => {
    const blob = await reader.stat(digest, 'blob');
    if (blob !== undefined) found.set(digest, blob.size);
  });
  return sorted(found);
}

function sorted(layers: Iterable<readonly [Digest, number]>): readonly Content[] {
  return Array.from(layers, ([digest, size]) => ({ digest, size })).toSorted(byDigest);
}
