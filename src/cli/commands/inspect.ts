import { Readable } from 'node:stream';
import { inspectionReportOf, type InspectionReport } from '../../inspect/inspection-report.js';
import { LadingError } from '../../model/errors.js';
import { inspectionPage } from '../../page/inspection-page.js';
import { storeFolder, type CommandContext } from '../command-context.js';
import { printLines, printReport, printText, sizeFormat, terminalWidth, warn } from '../console.js';
import { fitLines, isUnicode } from '../drawing.js';
import { inspectSources, type SourceOptions } from '../inspect-sources.js';
import { inspectionLines } from '../inspection-text.js';
import { inspectionTree } from '../inspection-tree.js';
import { writeFile } from '../output-file.js';
import { DOCKER_SCHEME } from '../../registry/registry-name.js';

export interface InspectOptions extends SourceOptions {
  /** Where a page goes; `-` for stdout. */
  readonly html?: string;
  readonly htmlEnv?: boolean;
  readonly htmlTime?: boolean;
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
  checkPage(options);
  const { images, warnings } = await inspectSources(texts, options, {
    signal,
    environmentValues: options.htmlEnv ?? false,
  });
  warn([...warnings, ...images.flatMap((one) => one.warnings)], options);
  const how = { size: sizeFormat(options), layers: options.layers };
  if (options.html !== undefined) await writePage(inspectionReportOf(images, warnings), texts, options, signal);
  if (options.html === '-') return 0;
  if (options.json) await printReport('inspect', inspectionReportOf(images, warnings));
  else if (options.html !== undefined) return 0;
  else if (options.tree ?? process.stdout.isTTY) {
    await printLines(fitLines(inspectionTree(images, how), { width: terminalWidth(), unicode: isUnicode() }));
  } else await printLines(images.flatMap((image) => inspectionLines(image, how)));
  return 0;
}

function checkPage({ html, htmlEnv, htmlTime, json }: InspectOptions): void {
  if (html === undefined && (htmlEnv === true || htmlTime === true))
    throw new LadingError('ERR_OPTION_INVALID', '--html-env and --html-time are for --html FILE');
  if (html === '-' && json === true) throw new LadingError('ERR_OPTION_INVALID', 'stdout takes the page or the JSON');
}

/** Writes the page beside the file, and gives it the name when it is whole. */
async function writePage(
  report: InspectionReport,
  texts: readonly string[],
  options: InspectOptions,
  signal: AbortSignal,
): Promise<void> {
  const { html: file = '-' } = options;
  const page = inspectionPage(report, {
    source: sourceOf(texts, options),
    ...(options.htmlTime === true && { seen: `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC` }),
  });
  if (file === '-') await printText(page);
  else await writeFile(Readable.from([page]), file, signal);
}

function sourceOf(texts: readonly string[], options: InspectOptions): string {
  const { archive = [] } = options;
  if (archive.length > 0) return `${archive.length === 1 ? 'Archive' : 'Archives'} ${archive.join(', ')}`;
  if (texts.every((text) => text.startsWith(DOCKER_SCHEME))) return `Registry ${texts.join(', ')}`;
  return `Store ${storeFolder(options.store)}`;
}
