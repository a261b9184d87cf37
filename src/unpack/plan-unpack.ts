import { check, TEXT } from '../model/rules.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { directoryPlan, ownershipOf } from './directory-plan.js';
import { openPlan } from './open-plan.js';
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
  const { reader, plan } = await openPlan(source, name, options);
  try {
    const { skips } = await directoryPlan(plan, { ...options, ownership });
    return reportOf(plan, skips, ownership);
  } finally {
    await reader.end();
  }
}
