import { inspectionReportOf } from '../../inspect/inspection-report.js';
import type { CommandContext } from '../command-context.js';
import { printLines, printReport, sizeFormat, terminalWidth, warn } from '../console.js';
import { fitLines, isUnicode } from '../drawing.js';
import { inspectSources, type SourceOptions } from '../inspect-sources.js';
import { inspectionLines } from '../inspection-text.js';
import { inspectionTree } from '../inspection-tree.js';

export interface InspectOptions extends SourceOptions {
  readonly tree?: boolean;
  /** False for `--no-layers`. */
  readonly layers: boolean;
}

/** `lading inspect`: shows images of the store, or with --archive every image of archives. */
export async function inspect(
  texts: readonly string[],
  options: InspectOptions,
  { signal }: CommandContext,
): Promise<number> {
  const { images, warnings } = await inspectSources(texts, options, { signal });
  warn([...warnings, ...images.flatMap((one) => one.warnings)], options);
  const how = { size: sizeFormat(options), layers: options.layers };
  if (options.json) await printReport('inspect', inspectionReportOf(images, warnings));
  else if (options.tree ?? process.stdout.isTTY) {
    await printLines(fitLines(inspectionTree(images, how), { width: terminalWidth(), unicode: isUnicode() }));
  } else await printLines(images.flatMap((image) => inspectionLines(image, how)));
  return 0;
}
