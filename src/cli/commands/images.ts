import { listImages } from '../../inspect/list-images.js';
import { labelOfTag } from '../../model/image-list.js';
import { parseReference } from '../../model/reference.js';
import type { ImageReport, PlatformReport } from '../../survey/reports.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printLines, printReport, table, warn } from '../console.js';

/** `lading images`: prints one line for each image, with every platform that it lists. */
export async function images(options: CommonOptions, { signal }: CommandContext): Promise<number> {
  const store = await openStore(options, 'read');
  const listing = await listImages(store, { signal });
  warn(listing.warnings, options);
  if (options.json) await printReport(listing.images);
  else if (options.quiet) await printLines(listing.images.map(({ digest }) => digest));
  else await printLines(table([['IMAGE', 'ID', 'PLATFORMS'], ...listing.images.map(rowOf)]));
  return 0;
}

function rowOf({ name, tag, digest, platforms }: ImageReport): readonly string[] {
  const shown = name === undefined ? (labelOfTag({ tag }) ?? '<none>') : parseReference(name).familiar();
  return [shown, shortId(digest), platforms.map(platformCell).join(', ')];
}

/** Twelve hex characters, as docker shows an id. */
function shortId(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

function platformCell({ platform, state }: PlatformReport): string {
  return state === 'complete' ? platform : `${platform} (${state})`;
}
