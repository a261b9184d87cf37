import { formatPlatformFull } from '../model/platform.js';
import { labelOfRecord } from '../survey/reports.js';
import type { BundleConfig } from './bundle.js';
import type { PlannedTree } from './plan-tree.js';
import type { Ownership, UnpackPlan } from './report-shapes.js';
import { skippedWarning, type SkipCounter } from './skipped.js';

/** Whose the files are, and the config of a bundle. */
export interface ReportOptions {
  readonly ownership: Ownership;
  readonly bundle?: BundleConfig | undefined;
}

/** The report of a plan. */
export function reportOf(plan: PlannedTree, skips: SkipCounter, { ownership, bundle }: ReportOptions): UnpackPlan {
  const { record, manifest, configDigest: config, platform } = plan.image;
  const { kept, ...tree } = plan.counts;
  skips.add('xattr', plan.dropped.first ?? '', plan.dropped.count);
  const skipped = skips.all;
  const image = {
    ...(record.name !== undefined && { name: record.name }),
    digest: record.descriptor.digest,
    manifest,
    config,
    ...(platform && { platform: formatPlatformFull(platform) }),
  };
  return {
    image,
    layers: plan.layers.map(({ descriptor, diffId, entries, bytes }, at) => {
      return { digest: descriptor.digest, diffId, entries, kept: kept[at] ?? 0, bytes };
    }),
    tree,
    hidden: { names: plan.hidden },
    ownership: ownership === 'keep' ? 'kept' : 'caller',
    skipped,
    warnings: [
      ...plan.warnings,
      ...skipped.map((one) => skippedWarning(one, labelOfRecord(record))),
      ...(bundle?.warnings ?? []),
    ],
  };
}
