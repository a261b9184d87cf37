import { Documents } from '../content/documents.js';
import type { ContentProvider } from '../content/content-provider.js';
import { bytesOfBlobs } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { contentOf } from '../model/image-manifest.js';
import { limitsOf } from '../model/limits.js';
import { isImageConfigType } from '../model/media-types.js';
import { compatibleWith } from '../model/platform-matcher.js';
import type { Platform } from '../model/platform.js';
import { hostPlatform } from '../survey/host-platform.js';
import { nodesOf } from '../survey/nodes-of.js';
import { labelOfRecord, type Warning } from '../survey/reports.js';
import type { Survey } from '../survey/survey-images.js';
import type { ListOptions } from '../survey/tolerant-survey.js';

/** What a list shows of an image beside its platforms. */
export interface ImageFacts {
  /** Bytes of all that is complete here: indexes, manifests, configs and layers, what platforms share once. */
  readonly size: number;
  /** When it was built, as its config says: that of the platform which the host prefers, else of the first one. */
  readonly created?: string;
  /** The labels of the same config. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Finds the facts of images. Reads each manifest, and one config for each root; holds the facts of every root. */
export class FactsFinder {
  readonly #survey: Survey;
  readonly #documents: Documents;
  readonly #host: Platform;
  readonly #known = new Map<Digest, ImageFacts>();
  #warnings: readonly Warning[] = [];
  #target: ImageRecord | undefined;

  constructor(provider: ContentProvider, survey: Survey, { limits, hostPlatform: host }: FactsOptions) {
    this.#survey = survey;
    this.#host = host ?? hostPlatform();
    this.#documents = new Documents(provider, {
      limits: limitsOf(limits),
      onDamage: ({ message }) => {
        const image = this.#target && labelOfRecord(this.#target);
        this.#warnings = [...this.#warnings, { code: 'WARN_DAMAGED', message, ...(image && { image }) }];
      },
    });
  }

  /** Damage that was found in configs. The survey has warned of the other documents. */
  get warnings(): readonly Warning[] {
    return this.#warnings;
  }

  async of(target: ImageRecord): Promise<ImageFacts> {
    const { digest } = target.descriptor;
    const facts = this.#known.get(digest) ?? (await this.#find(target));
    this.#known.set(digest, facts);
    return facts;
  }

  async #find(target: ImageRecord): Promise<ImageFacts> {
    this.#target = target;
    const blobs = new Map<Digest, number>();
    const images: Image[] = [];
    for (const { node, completeness } of nodesOf(this.#survey, target)) {
      if (completeness.state !== 'complete') continue;
      const { descriptor, kind, platform, subject } = node;
      const manifest = kind === 'manifest' ? await this.#documents.manifest(descriptor) : undefined;
      const content = manifest === undefined ? [] : contentOf(manifest);
      for (const { digest, size } of [descriptor, ...content]) blobs.set(digest, size);
      if (manifest !== undefined && subject === undefined) images.push({ config: manifest.config, platform });
    }
    return { size: bytesOfBlobs([...blobs]), ...(await this.#configFacts(this.#bestOf(images))) };
  }

  /** The image that the host prefers, else the first one. */
  #bestOf(images: readonly Image[]): Image | undefined {
    const matcher = compatibleWith(this.#host);
    const [best] = images
      .flatMap(({ config, platform }) => (platform === undefined ? [] : [{ config, platform }]))
      .filter(({ platform }) => matcher.matches(platform))
      .toSorted((a, b) => matcher.compare(a.platform, b.platform));
    return best ?? images[0];
  }

  async #configFacts(image: Image | undefined): Promise<Omit<ImageFacts, 'size'>> {
    if (image === undefined || !isImageConfigType(image.config.mediaType)) return {};
    const config = await this.#documents.config(image.config);
    const labels = config?.config?.['Labels'];
    return { ...(config?.created && { created: config.created }), ...(isLabels(labels) && { labels }) };
  }
}

/** A complete manifest that is not a referrer. */
interface Image {
  readonly config: Descriptor;
  readonly platform: Platform | undefined;
}

/** How to find facts, and for which host. */
export interface FactsOptions extends ListOptions {
  readonly hostPlatform?: Platform;
}

/** Whether a value is an object of texts. */
export function isLabels(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}
