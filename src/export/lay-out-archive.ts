import {
  DOCKER_MANIFEST_ENTRY,
  entryNameOf,
  INDEX_ENTRY,
  LAYOUT_BYTES,
  LAYOUT_ENTRY,
  TAR_END_BYTES,
  tarEntryBytes,
} from '../model/archive-layout.js';
import { contentKindOf, type ContentKind } from '../model/content.js';
import { ANNOTATIONS, withAnnotations, type Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { formatKept } from '../model/kept-parts.js';
import { isIndexType, MEDIA_TYPES } from '../model/media-types.js';
import { parseReference } from '../model/reference.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { BlobNeed } from '../stages/records.js';
import { meantParts } from '../survey/left-out.js';
import { unlistedReferrers, type Survey } from '../survey/survey-images.js';
import type { ChosenRoot, RootChoice } from './choose-roots.js';

/** One entry of a planned archive. `offset` is where its header starts, `size` is that of its body, both in bytes. */
export interface PlannedEntry {
  readonly name: string;
  readonly type: 'file' | 'directory';
  readonly size: number;
  readonly mode: number;
  readonly offset: number;
  /** The body: bytes that the plan made, or a blob of the store. */
  readonly content: { readonly bytes: Buffer } | { readonly digest: Digest; readonly kind: ContentKind };
  /** What it is to the images: of several that need it, the first one counts. Undefined for files of the layout. */
  readonly need?: PlannedNeed;
}

/** What a blob is, and the manifest that asks for it; undefined for an index that the plan made. */
export interface PlannedNeed {
  readonly kind: 'index' | 'manifest' | 'config' | 'layer';
  readonly mediaType?: string;
  readonly manifest?: Digest;
}

/** An entry that has no place yet. */
export interface UnplacedEntry {
  readonly name: string;
  readonly size: number;
  readonly mode?: number;
  readonly content: PlannedEntry['content'];
  readonly need?: PlannedNeed;
}

/** The layout's own files. They come first, so that a reader of the stream knows at once what it needs. */
export function metadataOf(
  survey: Survey,
  choice: RootChoice,
  { manifestJson, referrers }: { readonly manifestJson: Buffer | undefined; readonly referrers: ReferrerPolicy },
): readonly UnplacedEntry[] {
  const manifests = [
    ...choice.roots.map((root) => archiveDescriptorOf(survey, root, referrers)),
    ...unlistedReferrers(survey, choice.unlisted),
  ];
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
  return [
    madeFile(LAYOUT_ENTRY, Buffer.from(LAYOUT_BYTES)),
    madeFile(INDEX_ENTRY, index, 0o644),
    ...(manifestJson === undefined ? [] : [madeFile(DOCKER_MANIFEST_ENTRY, manifestJson, 0o644)]),
  ];
}

export function madeFile(name: string, bytes: Buffer, mode?: number): UnplacedEntry {
  return { name, size: bytes.length, content: { bytes }, ...(mode !== undefined && { mode }) };
}

/**
 * An image's descriptor for `index.json`, with full name, tag, and the root it was made from if that differs; else with
 * what is meant to be in the archive, if that is less than the root lists.
 */
function archiveDescriptorOf(
  survey: Survey,
  { target, descriptor }: ChosenRoot,
  referrers: ReferrerPolicy,
): Descriptor {
  const isSame = descriptor.digest === target.descriptor.digest;
  const tag = target.name === undefined ? target.tag : parseReference(target.name).tag;
  const kept = isSame && isIndexType(descriptor.mediaType) ? meantParts(survey, target, referrers) : undefined;
  return withAnnotations(descriptor, {
    ...(kept && { [ANNOTATIONS.kept]: formatKept(kept) }),
    ...(target.name !== undefined && { [ANNOTATIONS.imageName]: target.name }),
    ...(tag !== undefined && { [ANNOTATIONS.refName]: tag }),
    ...(!isSame && { [ANNOTATIONS.sourceDigest]: target.descriptor.digest }),
  });
}

/** Documents first, then layers, each group in the order of the walk. */
export function contentsOf(survey: Survey, { keptIndexes, made }: RootChoice): readonly UnplacedEntry[] {
  const of = (...kinds: readonly BlobNeed['kind'][]): readonly BlobNeed[] =>
    survey.needs.filter(({ kind }) => kinds.includes(kind));
  const indexes = of('index').filter(({ descriptor }) => keptIndexes.has(descriptor.digest));
  return [
    ...indexes.map(blobFile),
    ...[...made].map(([digest, bytes]) => ({ ...madeFile(entryNameOf(digest), bytes), need: MADE_INDEX })),
    ...of('manifest', 'config').map(blobFile),
    ...of('layer').map(blobFile),
  ];
}

const MADE_INDEX: PlannedNeed = { kind: 'index' };

function blobFile({ descriptor, kind, manifest }: BlobNeed): UnplacedEntry {
  const { digest, size, mediaType } = descriptor;
  const content = { digest, kind: contentKindOf(descriptor) };
  return { name: entryNameOf(digest), size, content, need: { kind, mediaType, manifest } };
}

/** Sets the offset of each entry. The folders of the blobs come before the first blob. */
export function layOut(
  metadata: readonly UnplacedEntry[],
  blobs: readonly UnplacedEntry[],
): { entries: readonly PlannedEntry[]; size: number } {
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

export function digestOfPlan(entries: readonly PlannedEntry[]): Digest {
  const lines = entries.map(({ name, size, content }) => [
    name,
    size,
    'digest' in content ? content.digest : digestOf(content.bytes),
  ]);
  return digestOf(JSON.stringify(lines));
}
