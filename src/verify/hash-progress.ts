import type { ContentProvider } from '../content/content-provider.js';
import type { Digest, Digester } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { ProgressImage } from '../model/progress-event.js';
import { MAX_IMAGES, type Measure, type Progress, type ReportedBlob } from '../progress/progress.js';
import { labelOf, labelOfRecord } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';

/** Tells the progress of hashing, blob by blob. Holds a place in a map for each blob that an image needs. */
export class HashProgress {
  readonly #progress: Progress;
  readonly #store: Pick<ContentProvider, 'stat'>;
  readonly #total: number;
  readonly #needs: ReadonlyMap<Digest, Pick<ReportedBlob, 'kind' | 'image'>>;
  #doneBytes = 0;
  #active: { readonly blob: ReportedBlob; readonly digester: Digester } | undefined;

  private constructor(progress: Progress, store: Pick<ContentProvider, 'stat'>, survey: Survey, total: number) {
    this.#progress = progress;
    this.#store = store;
    this.#total = total;
    this.#needs = new Map(
      survey.needs.map(({ descriptor, kind, target }) => [descriptor.digest, { kind, image: labelOfRecord(target) }]),
    );
  }

  /** Looks up the sizes of all blobs, and tells the start. */
  static async start(
    progress: Progress,
    store: Pick<ContentProvider, 'stat'>,
    survey: Survey,
    digests: Iterable<Digest> | AsyncIterable<Digest>,
  ): Promise<HashProgress> {
    let total = 0;
    for await (const digest of digests) total += await sizeOf(store, digest);
    const told = new HashProgress(progress, store, survey, total);
    const records = [...new Set(survey.nodes.map(({ node }) => node.target))];
    const [images, more] = [records.slice(0, MAX_IMAGES), records.length - MAX_IMAGES];
    progress.start({ total, images: images.map(imageOf), ...(more > 0 && { imagesLeftOut: more }) }, told.#measure);
    return told;
  }

  async begin(digest: Digest, digester: Digester): Promise<void> {
    const need = this.#needs.get(digest) ?? { kind: 'other' };
    this.#active = { blob: { id: digest, total: await sizeOf(this.#store, digest), ...need }, digester };
    this.#progress.blobStarted(this.#active.blob);
  }

  end(): void {
    if (this.#active === undefined) return;
    this.#doneBytes += this.#active.digester.size;
    this.#progress.blobOver(this.#active.blob, 'done');
    this.#active = undefined;
  }

  readonly #measure = (): Measure => {
    if (this.#active === undefined) return { current: this.#doneBytes, total: this.#total, active: [] };
    const { blob, digester } = this.#active;
    const { id, total, image } = blob;
    const active = [{ id, current: Math.min(digester.size, total), total }];
    return { current: this.#doneBytes + digester.size, total: this.#total, image, active };
  };
}

/** The size of a blob; 0 if it cannot be read, which the hashing reports. */
async function sizeOf(store: Pick<ContentProvider, 'stat'>, digest: Digest): Promise<number> {
  const found = await store.stat(digest, 'blob').catch(() => undefined);
  return found?.size ?? 0;
}

function imageOf({ name, descriptor: { digest } }: ImageRecord): ProgressImage {
  const named = name === undefined ? {} : { name: labelOf({ name, digest }) };
  return { ...named, digest, platforms: [] };
}
