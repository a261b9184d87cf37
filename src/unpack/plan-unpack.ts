import { check, TEXT } from '../model/rules.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { BundleConfig } from './bundle.js';
import { directoryPlan, ownershipOf } from './directory-plan.js';
import { openPlan, type OpenPlan } from './open-plan.js';
import { readFiles } from './read-files.js';
import type { UnpackPlan } from './report-shapes.js';
import { UNPACK_OPTIONS, type UnpackOptions } from './unpack-options.js';
import { reportOf } from './unpack-report.js';

const ARGUMENTS = { source: SOURCE, name: TEXT, options: UNPACK_OPTIONS };

/**
 * Tells what {@link unpackImage} would make of an image with these options: counts, sizes, and what would be left out.
 * Reads and verifies every layer once, and writes nothing. Throws what `unpackImage` throws of the image. Holds the tree.
 */
export async function planUnpack(source: ImageSource, name: string, options: UnpackOptions = {}): Promise<UnpackPlan> {
  check(ARGUMENTS, { source, name, options });
  const ownership = ownershipOf(options);
  const open = await openPlan(source, name, options);
  try {
    const { plan } = open;
    const { skips } = await directoryPlan(plan, { ...options, ownership });
    const config = options.bundle === true ? await bundleConfig(open, options) : undefined;
    return reportOf(plan, skips, { ownership, bundle: config });
  } finally {
    await open.reader.end();
  }
}

/** Reads the layers once more, up to the files that name the user of the image. */
async function bundleConfig({ reader, plan, limits }: OpenPlan, { signal }: UnpackOptions): Promise<BundleConfig> {
  const config = new BundleConfig(plan);
  if (config.isSettled) return config;
  for await (const parts of readFiles(reader, plan, { limits, signal })) {
    for (const part of parts) config.see(part);
    if (config.isSettled) break;
  }
  return config;
}
