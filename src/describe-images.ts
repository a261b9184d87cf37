import { setImmediate } from 'node:timers/promises';
import type { Descriptor } from './model/descriptor.js';
import type { Digest } from './model/digest.js';
import { resolveRecords, subjectOf, type ImageRecord } from './model/image-list.js';
import { limitsOf } from './model/limits.js';
import { compatibleWith, exactly } from './model/platform-matcher.js';
import type { Platform } from './model/platform.js';
import { describeManifests, type ManifestDescription } from './describe-manifests.js';
import { hostPlatform } from './host-platform.js';
import { tolerantSurvey, type ListOptions } from './list-images.js';
import type { Warning } from './reports.js';
import type { Store } from './stores/ports.js';

/** Which images to describe, and for what host. */
export interface DescribeOptions extends ListOptions {
  readonly hostPlatform?: Platform;
}

/** One root of a store with every name that it has, and all of its manifests. */
export interface ImageDescription {
  readonly descriptor: Descriptor;
  /** Full names, sorted; none for an image that is known by its digest only. */
  readonly names: readonly string[];
  readonly manifests: readonly ManifestDescription[];
  /** The complete manifest that the host prefers, else the first complete one. */
  readonly best?: ManifestDescription;
  /** Every blob of it that is here, once: bytes by digest. */
  readonly present: ReadonlyMap<Digest, number>;
  readonly warnings: readonly Warning[];
}

/**
 * Describes the roots of a store (those that `texts` mean; none given: all), each once, one at a time: other work of the
 * process gets its turn between two of them. Holds the documents of one image.
 * Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
 */
export async function* describeImages(
  store: Store,
  texts: readonly string[] = [],
  options: DescribeOptions = {},
): AsyncGenerator<ImageDescription> {
  const records = await store.list();
  const chosen = texts.length === 0 ? records.filter(isImage) : texts.flatMap((text) => resolveRecords(records, text));
  const roots = new Map(chosen.map(({ descriptor }) => [descriptor.digest, descriptor]));
  const names = namesByRoot(records);
  for (const descriptor of roots.values()) {
    yield await describeRoot(store, records, descriptor, names.get(descriptor.digest) ?? [], options);
    await setImmediate();
  }
}

/** The complete manifests of an image that are exactly of this platform. */
export function manifestsFor(image: ImageDescription, platform: Platform): readonly ManifestDescription[] {
  const matcher = exactly(platform);
  return image.manifests.filter((manifest) => isRunnable(manifest) && matcher.matches(manifest.platform));
}

async function describeRoot(
  store: Store,
  records: readonly ImageRecord[],
  descriptor: Descriptor,
  names: readonly string[],
  options: DescribeOptions,
): Promise<ImageDescription> {
  const { survey, warnings } = await tolerantSurvey(store, [{ descriptor }], records, options);
  const manifests = await describeManifests(store, survey, limitsOf(options.limits));
  const best = bestOf(manifests, options.hostPlatform ?? hostPlatform());
  const needed = survey.needs.map(({ descriptor: { digest, size } }): [Digest, number] => [digest, size]);
  const present = new Map([...needed, ...manifests.flatMap((manifest) => [...manifest.present])]);
  return { descriptor, names, manifests, ...(best && { best }), present, warnings };
}

function bestOf(manifests: readonly ManifestDescription[], host: Platform): ManifestDescription | undefined {
  const matcher = compatibleWith(host);
  const complete = manifests.filter(({ kind, available }) => kind === 'image' && available);
  const [preferred] = complete
    .filter(isRunnable)
    .filter(({ platform }) => matcher.matches(platform))
    .toSorted((a, b) => matcher.compare(a.platform, b.platform));
  return preferred ?? complete[0];
}

type Runnable = ManifestDescription & { readonly platform: Platform };

function isRunnable(manifest: ManifestDescription): manifest is Runnable {
  return manifest.kind === 'image' && manifest.available && manifest.platform !== undefined;
}

function isImage(record: ImageRecord): boolean {
  return subjectOf(record) === undefined;
}

function namesByRoot(records: readonly ImageRecord[]): ReadonlyMap<Digest, readonly string[]> {
  const byRoot = new Map<Digest, string[]>();
  for (const { name, descriptor } of records) {
    if (name !== undefined) byRoot.set(descriptor.digest, [...(byRoot.get(descriptor.digest) ?? []), name]);
  }
  return byRoot;
}
