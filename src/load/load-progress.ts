import { PositionedEntries } from '../archives/positioned-entries.js';
import type { ActiveBody } from '../flow/active-bodies.js';
import { totalBytes } from '../model/content.js';
import { ANNOTATIONS, type Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageChoice } from '../model/image-choice.js';
import type { ImageIndex } from '../model/image-index.js';
import {
  isForeignLayerType,
  isImageConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
} from '../model/media-types.js';
import type { PlatformRequest } from '../model/platform-set.js';
import { formatPlatformFull } from '../model/platform.js';
import type { ProgressImage, ProgressKind } from '../model/progress-event.js';
import { readImageName } from '../model/reference.js';
import type { ThinList } from '../model/thin-list.js';
import { MAX_IMAGES, type Measure, type Progress, type ReportedBlob } from '../progress/progress.js';
import type { ArchiveEntry, CommitEvent, EntryWatcher } from '../stages/records.js';
import type { SelectEntries } from '../stages/select-entries.js';

/** What is loaded, and whether every blob is read, wanted or not. */
interface Asked {
  readonly platforms: readonly PlatformRequest[];
  readonly choice?: ImageChoice | undefined;
  readonly passesAll: boolean;
}

/** What knows how far the load is. */
interface Sources {
  readonly entries: unknown;
  readonly select: Pick<SelectEntries, 'wanted' | 'descriptorOf' | 'isEverythingKnown'>;
  readonly active: Iterable<ActiveBody>;
}

/**
 * Tells the progress of a load. It starts when the list of images was read, or with the first blob that came before.
 * Holds a few numbers, and the digests of blobs that the store had before the wanted ones were counted.
 */
export class LoadProgress implements EntryWatcher {
  readonly #progress: Progress;
  readonly #asked: Asked;
  #sources: Sources | undefined;
  #image: string | undefined;
  #isListed = false;
  #hasLayer = false;
  #doneBytes = 0;
  #passedOverBytes = 0;
  #current = 0;
  /** The bytes that are wanted and not here, once they are known, of so many blobs. */
  #wanted: { bytes: number; readonly count: number } | undefined;
  /** Blobs that the store had, until the wanted ones are counted. */
  readonly #present = new Set<Digest>();

  constructor(progress: Progress, asked: Asked) {
    this.#progress = progress;
    this.#asked = asked;
  }

  watch(sources: Sources): void {
    this.#sources = sources;
  }

  listed({ manifests }: ImageIndex): void {
    const { choice, platforms } = this.#asked;
    const roots = (choice?.rootsThatMayBe(manifests) ?? manifests).filter(isRoot);
    const names = platforms.map((one) => ('bestFor' in one ? 'local' : formatPlatformFull(one)));
    const images = roots.slice(0, MAX_IMAGES).map((root) => imageOf(root, names));
    const [only, ...others] = images;
    if (others.length === 0) this.#image = only?.name ?? only?.digest;
    const more = roots.length - images.length;
    this.#isListed = true;
    this.#progress.start({ images, ...(more > 0 && { imagesLeftOut: more }) }, this.#measure);
  }

  /** What will not come is not waited for. */
  counted({ base }: ThinList): void {
    for (const digest of base.keys()) this.#present.add(digest);
  }

  passedOver(entry: ArchiveEntry, state: 'present' | 'skipped'): void {
    const blob = this.#blobOf(entry);
    this.#passedOverBytes += entry.size;
    if (state === 'present') this.#leaveOut(entry);
    this.#notice(blob);
    this.#progress.blobOver(blob, state);
  }

  /** A blob that came into the store, or was there when it had come. */
  readonly stored = ({ name, digest, size, outcome }: CommitEvent): void => {
    this.#doneBytes += size;
    const blob = this.#blobOf({ name, digest, size });
    this.#notice(blob);
    this.#progress.blobOver(blob, outcome === 'stored' ? 'done' : 'present');
  };

  readonly #measure = (): Measure => {
    let bytes = this.#doneBytes;
    const active = [];
    for (const body of this.#sources?.active ?? []) {
      const blob = this.#blobOf(body);
      const current = Math.min(body.meter.bytes, body.size);
      this.#notice(blob);
      this.#progress.blobStarted(blob);
      bytes += current;
      if (current > 0) active.push({ id: blob.id, current, total: body.size });
    }
    // A damaged blob that may not be needed counts no more: what was told does not fall.
    this.#current = Math.max(this.#current, bytes);
    return { current: this.#current, total: this.#total(), image: this.#image, active };
  };

  #blobOf({ name, digest, size }: Pick<ArchiveEntry, 'name' | 'digest' | 'size'> | ActiveBody): ReportedBlob {
    const listed = digest && this.#sources?.select.descriptorOf(digest);
    const image = this.#image === undefined ? {} : { image: this.#image };
    return { id: digest ?? name, kind: kindOf(listed), total: size, ...image };
  }

  /** A blob that came before the list of images starts the events without it. */
  #notice({ kind }: ReportedBlob): void {
    if (kind === 'layer') this.#hasLayer = true;
    this.#progress.start({ images: [] }, this.#measure);
  }

  /** A blob that is wanted and here already is not waited for. */
  #leaveOut({ digest, size }: ArchiveEntry): void {
    if (digest === undefined) return;
    if (this.#wanted === undefined) this.#present.add(digest);
    else if (this.#sources?.select.descriptorOf(digest) !== undefined) this.#wanted.bytes -= size;
  }

  #total(): number | undefined {
    const { select, entries } = this.#sources ?? {};
    const fromFile = entries instanceof PositionedEntries ? entries.bytes : undefined;
    if (fromFile !== undefined && (this.#asked.passesAll || !this.#isListed)) return fromFile - this.#passedOverBytes;
    if (select === undefined || this.#asked.passesAll || !this.#isListed) return undefined;
    // Documents of platforms that were left out never come, so a layer means that all others have come.
    if (!this.#hasLayer && !select.isEverythingKnown()) return undefined;
    const { wanted } = select;
    this.#wanted ??= { count: wanted.count, bytes: this.#bytesOf(wanted) };
    // A document that came after the first layer: what was told was too little.
    return this.#wanted.count === wanted.count ? this.#wanted.bytes : undefined;
  }

  #bytesOf(wanted: Iterable<Descriptor>): number {
    return totalBytes(Array.from(wanted, ({ digest, size }) => (this.#present.has(digest) ? 0 : size)));
  }
}

function isRoot({ annotations }: Descriptor): boolean {
  return annotations?.[ANNOTATIONS.subject] === undefined;
}

function imageOf({ digest, annotations }: Descriptor, platforms: readonly string[]): ProgressImage {
  const texts = [annotations?.[ANNOTATIONS.imageName] ?? '', annotations?.[ANNOTATIONS.refName] ?? ''];
  const [name] = texts.flatMap((text) => {
    const read = /[/:@]/.test(text) ? readImageName(text) : '';
    return typeof read === 'string' ? [] : [read.familiar()];
  });
  return { ...(name !== undefined && { name }), digest, platforms };
}

function kindOf(listed: Descriptor | undefined): ProgressKind {
  const { mediaType = '' } = listed ?? {};
  if (isIndexType(mediaType)) return 'index';
  if (isManifestType(mediaType)) return 'manifest';
  if (isImageConfigType(mediaType)) return 'config';
  return isLayerType(mediaType) || isForeignLayerType(mediaType) ? 'layer' : 'other';
}
