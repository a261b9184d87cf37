import type { ExportPlan } from '../export/plan-export.js';
import { inspectImages, type PlatformInspection } from '../inspect/inspect-images.js';
import { bytesOfBlobs } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { PlatformState } from '../model/completeness.js';
import { isForeignLayerType } from '../model/media-types.js';
import type { Store } from '../stores/store.js';
import { labelOf, type ImageReport, type PlatformReport } from '../survey/reports.js';
import { INCOMPLETE } from './exit-status.js';
import { formatGrouped, printLines, printReport, sizeFormat, type OutputOptions, type SizeFormat } from './console.js';

/** What a dry run prints. */
export interface DryRunOptions extends OutputOptions {
  /** Only this value, for a script. */
  readonly print?: 'size' | 'digest';
}

/** One platform that a save would pack. */
interface PlannedPlatform {
  readonly platform: string;
  readonly digest: Digest;
  /** Bytes of manifest, config and layers. */
  readonly bytes: number;
  /** Those of them that no other packed platform needs, and those that one does. */
  readonly ownBytes: number;
  readonly sharedBytes: number;
}

interface PlannedImage {
  readonly name?: string;
  readonly digest: Digest;
  readonly platforms: readonly PlannedPlatform[];
}

/** A platform that was asked for or is listed, and that the archive would not have. */
interface MissingPlatform {
  readonly image: string;
  readonly platform: string;
  readonly state: PlatformState;
  /** Every digest that is known to be missing. */
  readonly digests: readonly Digest[];
}

/** Prints what the planned archive would be, to the byte. Nothing is written. */
export async function printPlan(store: Store, plan: ExportPlan, options: DryRunOptions): Promise<number> {
  if (options.print !== undefined) await printLines([String(plan[options.print])]);
  else {
    const found = await platformsOf(store, [...plan.images, ...plan.leftOut]);
    const { images, sharedBytes } = imagesOf(plan.images, found);
    if (options.json) await printReport('save', jsonOf(plan, { images, missing: missingOf(plan, found) }));
    else await printLines(linesOf(plan, images, { size: sizeFormat(options), sharedBytes }));
  }
  return plan.incomplete ? INCOMPLETE : 0;
}

/** What is known of each manifest, by its digest. */
type Inspected = ReadonlyMap<Digest, PlatformInspection>;

async function platformsOf(store: Store, images: readonly ImageReport[]): Promise<Inspected> {
  const roots = new Set(images.map(({ digest, sourceDigest }) => sourceDigest ?? digest));
  const inspections = await inspectImages(store, [...roots]);
  const platforms = inspections.flatMap((image) => image.platforms);
  return new Map(platforms.flatMap((platform) => (platform.digest ? [[platform.digest, platform] as const] : [])));
}

function imagesOf(
  images: readonly ImageReport[],
  found: Inspected,
): { readonly images: readonly PlannedImage[]; readonly sharedBytes: number } {
  const packed = new Map<Digest, ReadonlyMap<Digest, number>>();
  for (const { digest } of images.flatMap(({ platforms }) => platforms.filter(isComplete)))
    if (digest) packed.set(digest, blobsOf(found.get(digest)));
  const users = new Map<Digest, number>();
  for (const blobs of packed.values())
    for (const digest of blobs.keys()) users.set(digest, (users.get(digest) ?? 0) + 1);
  const sharedIn = (blobs: Iterable<readonly [Digest, number]>): number =>
    bytesOfBlobs([...blobs].filter(([digest]) => (users.get(digest) ?? 0) > 1));
  const planned = images.map(({ name, digest, platforms }) => ({
    ...(name !== undefined && { name }),
    digest,
    platforms: platforms.filter(isComplete).flatMap((platform): PlannedPlatform[] => {
      const blobs = platform.digest && packed.get(platform.digest);
      if (platform.digest === undefined || blobs === undefined) return [];
      const [bytes, sharedBytes] = [bytesOfBlobs(blobs), sharedIn(blobs)];
      return [
        { platform: platform.platform, digest: platform.digest, bytes, ownBytes: bytes - sharedBytes, sharedBytes },
      ];
    }),
  }));
  return { images: planned, sharedBytes: sharedIn(new Map([...packed.values()].flatMap((blobs) => [...blobs]))) };
}

/** An archive has what may be distributed. */
function blobsOf({ manifest, config, layers = [] }: Partial<PlatformInspection> = {}): ReadonlyMap<Digest, number> {
  const blobs = [manifest, config, ...layers].filter(
    (blob) => blob !== undefined && !isForeignLayerType(blob.mediaType),
  );
  return new Map(blobs.flatMap((blob) => (blob ? [[blob.digest, blob.size] as const] : [])));
}

function missingOf({ images, leftOut }: ExportPlan, found: Inspected): readonly MissingPlatform[] {
  return [...images, ...leftOut].flatMap((image) =>
    image.platforms
      .filter(({ state }) => state === 'missing' || state === 'absent')
      .map(({ platform, digest, state, missing }) => {
        const blobs = digest && found.get(digest);
        const known = [blobs?.config, ...(blobs?.layers ?? [])].flatMap((blob) =>
          blob?.state === 'missing' ? blob.digest : [],
        );
        return {
          image: labelOf(image),
          platform,
          state,
          digests: [...new Set([...(missing ? [missing] : []), ...known])],
        };
      }),
  );
}

function isComplete({ state }: PlatformReport): boolean {
  return state === 'complete';
}

function jsonOf({ size, digest, entries, warnings, incomplete, thin }: ExportPlan, more: object): object {
  const whole = { ...more, warnings, ...(thin && { thin }), incomplete };
  return { dryRun: true, size, digest, entries: { count: entries.length }, ...whole };
}

function linesOf(
  { size: bytes, digest, entries, leftOut, thin }: ExportPlan,
  images: readonly PlannedImage[],
  { size, sharedBytes }: { readonly size: SizeFormat; readonly sharedBytes: number },
): readonly string[] {
  return [
    ...images.map((image) =>
      [labelOf(image), ...image.platforms.map((one) => `${one.platform}  ${size(one.bytes)}`)].join('   '),
    ),
    ...leftOut.map((image) => `${labelOf(image)}   left out`),
    `archive   ${formatGrouped(bytes)} bytes, ${entries.length} entries   plan ${digest}   shared between platforms ${size(sharedBytes)}`,
    ...(thin === undefined ? [] : [thinLine(thin, size)]),
  ];
}

function thinLine({ excluded, full }: NonNullable<ExportPlan['thin']>, size: SizeFormat): string {
  return `thin      leaves out ${excluded.count} layers, ${size(excluded.bytes)}; with them ${formatGrouped(full.size)} bytes, plan ${full.digest}`;
}
