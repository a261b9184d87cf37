import {
  DOCKER_MANIFEST_ENTRY,
  entryNameOf,
  INDEX_ENTRY,
  LAYOUT_BYTES,
  LAYOUT_ENTRY,
  TAR_END_BYTES,
  tarEntryBytes,
} from '../model/archive-layout.js';
import { ANNOTATIONS, withAnnotations, type Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { removeRecords, resolveRecords, subjectOf, type ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { isIndexType, isManifestType, MEDIA_TYPES } from '../model/media-types.js';
import type { Platform } from '../model/platform.js';
import { parseReference } from '../model/reference.js';
import { dockerManifestOf } from './manifest-json.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { imageReportOf } from '../survey/image-report.js';
import { judgePlatforms, type MissingPlatforms } from '../survey/judge-platforms.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import { chooseRoots, type ChosenRoot, type IndexPolicy, type RootChoice } from './choose-roots.js';
import type { BlobNeed, ImageTarget } from '../stages/records.js';
import type { Store } from '../stores/store.js';
import { surveyImages, unlistedReferrers, type Survey } from '../survey/survey-images.js';

/** What to export of the images. */
export interface ExportOptions {
  /** Platforms to pack, as texts or OCI objects; none: everything complete. */
  readonly platforms?: readonly (string | Platform)[];
  /** `auto`: one platform becomes the root; `preserve`: the index stays; `rewrite`: a new index of what is packed. */
  readonly index?: IndexPolicy;
  readonly referrers?: 'follow' | 'drop';
  readonly missingPlatforms?: MissingPlatforms;
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** One entry of an archive to be written. `offset` is where its header starts; `size` is its body; both in bytes. */
export interface PlannedEntry {
  readonly name: string;
  readonly type: 'file' | 'directory';
  readonly size: number;
  readonly mode: number;
  readonly offset: number;
  /** The body: bytes that the plan made, or a blob of the store. */
  readonly content: { readonly bytes: Buffer } | { readonly digest: Digest };
}

/** An archive that was thought through to its last byte, and not yet written. */
export interface ExportPlan {
  /** Bytes of the whole archive. */
  readonly size: number;
  /** The same for the same archive: a digest of its entries' names, sizes and content. */
  readonly digest: Digest;
  readonly entries: readonly PlannedEntry[];
  readonly images: readonly ImageReport[];
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly warnings: readonly Warning[];
  /** Something that was asked for is not in it (`missingPlatforms: 'skip'` only). */
  readonly incomplete: boolean;
  readonly hostPlatform: Platform;
}

/**
 * Plans an archive of the named images. Every error that can be known before the first byte comes from here:
 * ERR_IMAGE_UNKNOWN, ERR_PLATFORM_UNAVAILABLE, ERR_BLOB_MISSING, ERR_TARGET_UNSUPPORTED, ERR_PLATFORM_INVALID, and the errors
 * of damaged documents. Holds one small record for each distinct blob.
 */
export async function planExport(
  store: Store,
  names: readonly string[],
  options: ExportOptions = {},
): Promise<ExportPlan> {
  const host = options.hostPlatform ?? hostPlatform();
  const limits = limitsOf(options.limits);
  const records = await store.list();
  const targets = resolveTargets(records, names);
  const request = {
    platforms: parseRequest(options.platforms, host),
    referrers: options.referrers ?? 'follow',
    limits,
    signal: options.signal,
  };
  const found = await surveyImages(store, targets, { ...request, records });
  const judgement = judgePlatforms(found, targets, options.missingPlatforms ?? 'fail', 'saved');
  const choice = await chooseRoots(store, found, judgement.taken, options.index ?? 'auto', limits);
  // Left out as a whole: images of which nothing can be had, and what refers to an index that is not packed.
  const isCut = (record: ImageRecord): boolean => choice.replaced.has(subjectOf(record) as Digest);
  const cut = request.referrers === 'drop' ? [] : records.filter(isCut);
  const isWhole = cut.length === 0 && judgement.taken.length === targets.length;
  const survey = isWhole
    ? found
    : await surveyImages(store, judgement.taken, { ...request, records: removeRecords(records, cut) });
  const dockerManifest = await dockerManifestOf(store, survey, judgement.taken, host, limits);
  checkListed(await store.list(), targets);
  const { entries, size } = layOut(metadataOf(survey, choice, dockerManifest), contentsOf(survey, choice));
  return {
    size,
    digest: digestOfPlan(entries),
    entries,
    images: choice.roots.map(({ target, descriptor }) => imageReportOf(survey, target, descriptor.digest)),
    blobs: countOf(entries),
    warnings: [...survey.warnings, ...judgement.warnings, ...cut.map(droppedWarning)],
    incomplete: judgement.incomplete,
    hostPlatform: host,
  };
}

function resolveTargets(
  records: Parameters<typeof resolveRecords>[0],
  names: readonly string[],
): readonly ImageTarget[] {
  if (names.length === 0) throw new LadingError('ERR_OPTION_INVALID', 'name at least one image to save');
  const targets = new Map<string, ImageTarget>();
  for (const record of names.flatMap((name) => resolveRecords(records, name))) {
    checkRoot(record.descriptor);
    targets.set(`${record.name} ${record.descriptor.digest}`, record);
  }
  return [...targets.values()];
}

/** An image that was removed while it was looked at would count as one of which some platforms are missing. */
function checkListed(records: readonly ImageRecord[], targets: readonly ImageTarget[]): void {
  const listed = new Set(records.map(({ descriptor }) => descriptor.digest));
  const gone = targets.find(({ descriptor }) => !listed.has(descriptor.digest));
  if (gone === undefined) return;
  const image = gone.name ?? gone.descriptor.digest;
  throw new LadingError('ERR_IMAGE_UNKNOWN', `${quote(image)} was removed meanwhile`, { details: { image } });
}

function checkRoot({ digest, mediaType }: Descriptor): void {
  if (isIndexType(mediaType) || isManifestType(mediaType)) return;
  const message = `${digest} is of type ${JSON.stringify(mediaType)}; only manifests may be exported`;
  throw new LadingError('ERR_TARGET_UNSUPPORTED', message, { details: { digest, mediaType } });
}

interface Body {
  readonly name: string;
  readonly size: number;
  readonly mode?: number;
  readonly content: PlannedEntry['content'];
}

/** The layout's own files, which come first so that a reader of the stream knows at once what it wants. */
function metadataOf(survey: Survey, choice: RootChoice, dockerManifest: Buffer | undefined): readonly Body[] {
  const manifests = [...choice.roots.map(archiveDescriptorOf), ...unlistedReferrers(survey)];
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
  return [
    madeFile(LAYOUT_ENTRY, Buffer.from(LAYOUT_BYTES)),
    madeFile(INDEX_ENTRY, index, 0o644),
    ...(dockerManifest === undefined ? [] : [madeFile(DOCKER_MANIFEST_ENTRY, dockerManifest, 0o644)]),
  ];
}

function madeFile(name: string, bytes: Buffer, mode?: number): Body {
  return { name, size: bytes.length, content: { bytes }, ...(mode !== undefined && { mode }) };
}

/** How an image stands in the archive's `index.json`: full name, tag, and the root it came from where that is another. */
function archiveDescriptorOf({ target, descriptor }: ChosenRoot): Descriptor {
  const isSame = descriptor.digest === target.descriptor.digest;
  const tag = target.name === undefined ? undefined : parseReference(target.name).tag;
  return withAnnotations(descriptor, {
    ...(target.name !== undefined && { [ANNOTATIONS.imageName]: target.name }),
    ...(tag !== undefined && { [ANNOTATIONS.refName]: tag }),
    ...(!isSame && { [ANNOTATIONS.sourceDigest]: target.descriptor.digest }),
  });
}

/** Documents first, then layers, each group in the order of the walk. */
function contentsOf(survey: Survey, { keptIndexes, made }: RootChoice): readonly Body[] {
  const of = (...kinds: readonly BlobNeed['kind'][]): readonly BlobNeed[] =>
    survey.needs.filter(({ kind }) => kinds.includes(kind));
  const indexes = of('index').filter(({ descriptor }) => keptIndexes.has(descriptor.digest));
  return [
    ...indexes.map(blobFile),
    ...[...made].map(([digest, bytes]) => madeFile(entryNameOf(digest), bytes)),
    ...of('manifest', 'config').map(blobFile),
    ...of('layer').map(blobFile),
  ];
}

function droppedWarning({ descriptor }: ImageRecord): Warning {
  const message = `${descriptor.digest} was left out: it speaks of an index that is not in the archive`;
  return { code: 'WARN_REFERRER_DROPPED', message };
}

function blobFile({ descriptor: { digest, size } }: { readonly descriptor: Descriptor }): Body {
  return { name: entryNameOf(digest), size, content: { digest } };
}

/** Gives each entry its place; the folders of the blobs come before the first blob. */
function layOut(metadata: readonly Body[], blobs: readonly Body[]): { entries: readonly PlannedEntry[]; size: number } {
  const folders = new Set(blobs.flatMap(({ name }) => ['blobs/', `${name.slice(0, name.lastIndexOf('/'))}/`]));
  const entries: PlannedEntry[] = [];
  let offset = 0;
  const add = (entry: Omit<PlannedEntry, 'offset'>): void => {
    entries.push({ ...entry, offset });
    offset += tarEntryBytes(entry.name, entry.size);
  };
  for (const body of metadata) add({ mode: FILE_MODE, ...body, type: 'file' });
  for (const name of folders)
    add({ name, type: 'directory', size: 0, mode: 0o755, content: { bytes: Buffer.alloc(0) } });
  for (const body of blobs) add({ mode: FILE_MODE, ...body, type: 'file' });
  return { entries, size: offset + TAR_END_BYTES };
}

const FILE_MODE = 0o444;

function digestOfPlan(entries: readonly PlannedEntry[]): Digest {
  const lines = entries.map(({ name, size, content }) => [
    name,
    size,
    'digest' in content ? content.digest : digestOf(content.bytes),
  ]);
  return digestOf(JSON.stringify(lines));
}

function countOf(entries: readonly PlannedEntry[]): ExportPlan['blobs'] {
  const blobs = entries.filter(({ name, type }) => type === 'file' && name.startsWith('blobs/'));
  return { count: blobs.length, bytes: blobs.reduce((sum, { size }) => sum + size, 0) };
}
