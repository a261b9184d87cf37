import { pipeline } from 'node:stream/promises';
import { DescriptorOutput } from '../../files/descriptor-output.js';
import type { ImageSource } from '../../stores/store.js';
import { flattenImage } from '../../unpack/flatten-image.js';
import type { TarOrder, UnpackOptions } from '../../unpack/unpack-options.js';
import type { UnpackReport } from '../../unpack/report-shapes.js';
import { unpackImage } from '../../unpack/unpack-image.js';
import { checkOutput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printReport, warn } from '../console.js';
import { outputError } from '../output-error.js';
import { saveMemory } from '../save-memory.js';
import { unpackChoices, type UnpackChoices } from './unpack-choices.js';

export interface UnpackCommandOptions extends CommonOptions, UnpackChoices {
  readonly platform?: string;
  readonly order?: TarOrder;
}

/** `lading unpack`: verifies all layers before the first byte is written, to a directory or as a tar to stdout. */
export async function unpack(
  image: string,
  target: string,
  options: UnpackCommandOptions,
  { signal }: CommandContext,
): Promise<number> {
  saveMemory();
  const isTar = target === '-';
  if (isTar) checkOutput(undefined);
  const { platform, order } = options;
  const chosen = {
    ...unpackChoices(options),
    ...(platform !== undefined && { platform }),
    ...(order !== undefined && { order }),
    signal,
  };
  const store = await openStore(options, 'read', { claimReads: true });
  const report = isTar ? await writeTar(store, image, chosen) : await unpackImage(store, image, target, chosen);
  warn(report.warnings, options);
  if (options.json) await printReport('unpack', report, isTar ? 'stderr' : 'stdout');
  return 0;
}

async function writeTar(store: ImageSource, image: string, options: UnpackOptions): Promise<UnpackReport> {
  const reports: UnpackReport[] = [];
  const tar = flattenImage(store, image, { ...options, onReport: (report) => void reports.push(report) });
  try {
    await pipeline(tar, new DescriptorOutput(1));
  } catch (error) {
    throw outputError(error, 'cannot write to stdout');
  }
  // The stream ended, so its plan was made.
  return reports[0] as UnpackReport;
}
