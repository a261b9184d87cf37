import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { RegistryDestination } from '../registry/registry-destination.js';
import type { ImageSource } from '../stores/store.js';
import type { Warning } from '../survey/reports.js';
import { planExport } from '../export/plan-export.js';
import { choosingOf, type CopyOptions } from './closing.js';
import { copyImages, type CopyReport } from './copy-images.js';
import { judgePlan } from './judge-plan.js';
import { hasNewReferrers } from './new-referrers.js';

/** How to copy to a registry. */
export interface PushOptions extends CopyOptions {
  /** The digest that an image got in an earlier copy with the same options: its tag is up to date if it has that. */
  readonly copiedBefore?: (source: Digest) => Digest | undefined;
  /**
   * Whether new signatures of an image that is up to date are looked for at the source. Default: yes. At another registry
   * that takes requests for each image.
   */
  readonly seeksReferrers?: boolean;
}

/** A copy to a registry. `upToDate`: the tags had the images already, and nothing else was asked. */
export interface PushReport extends CopyReport {
  readonly upToDate: boolean;
}

const NOTHING = { copied: 0, present: 0, bytesCopied: 0, bytesPresent: 0 } as const;

/**
 * Copies images to a repository of a registry. Does nothing if every tag has its image and its signatures already.
 * Some registries refuse an index without all of its children; then, with the policy `auto`, a new index is written,
 * with a warning.
 */
export async function copyToRegistry(
  source: ImageSource,
  destination: RegistryDestination,
  names: readonly string[],
  { copiedBefore = () => undefined, seeksReferrers = true, ...options }: PushOptions = {},
): Promise<PushReport> {
  const records = await source.resolve(names);
  const found = await findUpToDate(destination, records, { copiedBefore, ...options });
  const isAll = !seeksReferrers || options.referrers === 'drop';
  if (found !== undefined && (isAll || !(await hasNewReferrers(source, destination, records, options))))
    return await judged(found, source, names, options);
  const copying = { ...options, onPlanned: checking(destination, options) };
  try {
    return { ...(await copyImages(source, destination, names, copying)), upToDate: false };
  } catch (error) {
    if (!isSparseRefusal(error) || (options.index ?? 'auto') !== 'auto' || isWhole(options)) throw error;
    const report = await copyImages(source, destination, names, { ...copying, index: 'rewrite' });
    return { ...withRewritten(report, records), upToDate: false };
  }
}

/**
 * The report of a copy that has nothing to do, since every tag has its image; undefined for others. Throws
 * ERR_OPTION_INVALID if the destination cannot name all the images.
 */
export async function findUpToDate(
  destination: RegistryDestination,
  records: readonly ImageRecord[],
  { copiedBefore = () => undefined, ...options }: PushOptions,
): Promise<PushReport | undefined> {
  destination.checkNames(records);
  const digests = records.map(({ descriptor: { digest } }) => (isWhole(options) ? digest : copiedBefore(digest)));
  return (await isUpToDate(destination, records, digests)) ? upToDate(records, digests) : undefined;
}

/** The report, if the images meet the policy: what needs no copying is judged all the same. */
async function judged(
  report: PushReport,
  source: ImageSource,
  names: readonly string[],
  options: CopyOptions,
): Promise<PushReport> {
  if (options.policy === undefined) return report;
  const trust = await judgePlan(source, await planExport(source, names, choosingOf(options)), options);
  return { ...report, ...(trust && { trust }) };
}

/** Whether the images are wanted as they are. */
function isWhole({ platforms = [], index = 'auto', referrers = 'follow' }: CopyOptions): boolean {
  return platforms.length === 0 && index !== 'rewrite' && referrers === 'follow';
}

/** Whether the tags of all the images have the digests. */
async function isUpToDate(
  destination: RegistryDestination,
  records: readonly ImageRecord[],
  digests: readonly (Digest | undefined)[],
): Promise<boolean> {
  const names = records.flatMap(({ name }) => name ?? []);
  if (names.length < records.length || digests.includes(undefined)) return false;
  const holders = await destination.holders(names);
  return records.every(({ name = '' }, at) => holders.get(name) === digests[at]);
}

function upToDate(records: readonly ImageRecord[], digests: readonly (Digest | undefined)[]): PushReport {
  const images = records.map(({ name, descriptor }, at) => {
    const digest = digests[at] ?? descriptor.digest;
    return {
      ...(name !== undefined && { name }),
      digest,
      ...(digest !== descriptor.digest && { sourceDigest: descriptor.digest }),
      platforms: [],
    };
  });
  return {
    images,
    leftOut: [],
    moved: [],
    referrers: 0,
    blobs: NOTHING,
    warnings: [],
    incomplete: false,
    upToDate: true,
  };
}

function checking(destination: RegistryDestination, { onPlanned }: CopyOptions): NonNullable<CopyOptions['onPlanned']> {
  return (plan) => {
    onPlanned?.(plan);
    destination.checkDigests(plan.images.map(({ digest }) => digest));
  };
}

const CHILD_CODES: readonly unknown[] = ['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'BLOB_UNKNOWN'];

/** Whether a registry, or a store in one, refused an index since it has not all that the index lists. */
export function isSparseRefusal(error: unknown): boolean {
  if (!(error instanceof LadingError)) return false;
  const isChild = CHILD_CODES.includes(error.details['registryCode']);
  return error.code === 'ERR_STORE_UNSUPPORTED' || (error.code === 'ERR_REGISTRY_REFUSED' && isChild);
}

/** The report of a copy that wrote new indexes, with a warning for each. */
export function withRewritten(report: CopyReport, records: readonly ImageRecord[]): CopyReport {
  return { ...report, warnings: [...report.warnings, ...report.images.map((image) => rewritten(records, image))] };
}

function rewritten(records: readonly ImageRecord[], { name, digest }: CopyReport['images'][number]): Warning {
  const before = records.find((record) => record.name === name)?.descriptor.digest;
  const message = `the registry takes no index without all of its images, so a new one was written: ${digest} instead of ${before}`;
  return { code: 'WARN_INDEX_REWRITTEN', message, ...(name !== undefined && { image: name }) };
}
