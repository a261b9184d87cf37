import { pipeline } from 'node:stream/promises';
import { DescriptorOutput } from '../../files/descriptor-output.js';
import { LadingError, quote } from '../../model/errors.js';
import type { ImageSource } from '../../stores/store.js';
import { flattenImage } from '../../unpack/flatten-image.js';
import type { TarOrder, UnpackOptions } from '../../unpack/unpack-options.js';
import type { Ownership, UnpackReport } from '../../unpack/report-shapes.js';
import { unpackImage } from '../../unpack/unpack-image.js';
import { checkOutput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printReport, warn } from '../console.js';
import { outputError } from '../output-error.js';

export interface UnpackCommandOptions extends CommonOptions {
  readonly platform?: string;
  readonly setid?: boolean;
  readonly order?: TarOrder;
  readonly maxNames?: string;
  readonly owner?: Ownership;
  readonly strict?: boolean;
  readonly sync?: boolean;
  readonly bundle?: boolean;
}

/** `lading unpack`: verifies all layers before the first byte is written, to a directory or as a tar to stdout. */
export async function unpack(
  image: string,
  target: string,
  options: UnpackCommandOptions,
  { signal }: CommandContext,
): Promise<number> {
  const isTar = target === '-';
  if (isTar) checkOutput(undefined);
  const chosen = { ...libraryOptions(options), signal };
  const store = await openStore(options, 'read', { claimReads: true });
  const report = isTar ? await writeTar(store, image, chosen) : await unpackImage(store, image, target, chosen);
  warn(report.warnings, options);
  if (options.json) await printReport('unpack', report, isTar ? 'stderr' : 'stdout');
  return 0;
}

function libraryOptions({
  platform,
  setid,
  order,
  maxNames,
  owner,
  strict,
  sync,
  bundle,
}: UnpackCommandOptions): UnpackOptions {
  return {
    ...(platform !== undefined && { platform }),
    ...(setid === false && { setId: false }),
    ...(order !== undefined && { order }),
    ...(owner !== undefined && { owner }),
    ...(strict === true && { strict }),
    ...(sync === true && { sync }),
    ...(bundle === true && { bundle }),
    ...(maxNames !== undefined && { maxNames: parseNames(maxNames) }),
  };
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

function parseNames(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw wrong(`--max-names must be a number from 1 on, not ${quote(text)}`);
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
