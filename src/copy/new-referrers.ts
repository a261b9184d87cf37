import { Documents } from '../content/documents.js';
import { planExport } from '../export/plan-export.js';
import { digestOfEntry } from '../model/archive-layout.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { limitsOf } from '../model/limits.js';
import { isIndexType } from '../model/media-types.js';
import type { RegistryDestination } from '../registry/registry-destination.js';
import type { ImageSource } from '../stores/store.js';
import { choosingOf, type CopyOptions } from './closing.js';

/**
 * Whether the source has signatures or other referrers of images whose tags are up to date, and the destination lacks
 * one of them. Asks the destination for those alone. Holds the digests of the images' documents.
 */
export async function hasNewReferrers(
  source: ImageSource,
  destination: RegistryDestination,
  records: readonly ImageRecord[],
  options: CopyOptions,
): Promise<boolean> {
  const names = records.map(({ name, descriptor }) => name ?? descriptor.digest);
  const plan = await planExport(source, names, choosingOf(options));
  const documents = new Documents(source, { limits: limitsOf(options.limits) });
  const listed = new Set<Digest>();
  for (const { descriptor } of records) await addListed(documents, descriptor, listed);
  const own = new Set(plan.images.map(({ digest }) => digest));
  const beside = plan.entries.flatMap(({ name, content }) => {
    const digest = digestOfEntry(name);
    const isBeside = digest !== undefined && 'kind' in content && content.kind === 'manifest' && !listed.has(digest);
    return isBeside && !own.has(digest) ? [digest] : [];
  });
  const companions = plan.images.filter(({ name }) => name !== undefined && !names.includes(name));
  const holders = await destination.holders(companions.flatMap(({ name }) => name ?? []));
  if (companions.some(({ name = '', digest }) => holders.get(name) !== digest)) return true;
  return await destination.lacksAny(beside);
}

/** Adds an index and everything that it lists, or a manifest. */
async function addListed(documents: Documents, descriptor: Descriptor, listed: Set<Digest>): Promise<void> {
  if (listed.has(descriptor.digest)) return;
  listed.add(descriptor.digest);
  const index = isIndexType(descriptor.mediaType) ? await documents.index(descriptor) : undefined;
  for (const child of index?.manifests ?? []) await addListed(documents, child, listed);
}
