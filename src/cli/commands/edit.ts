import { removeImages, type RemoveReport } from '../../edit/remove-images.js';
import { removePlatforms } from '../../edit/remove-platforms.js';
import { tagImage } from '../../edit/tag-image.js';
import { LadingError } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import { openStore, type CommonOptions } from '../command-context.js';
import { printLines, printReport, sizeFormat, type SizeFormat } from '../console.js';

/** `lading tag`: gives an image one more name. */
export async function tag(source: string, name: string, options: CommonOptions): Promise<number> {
  const store = await openStore(options, 'write');
  const report = await tagImage(store, source, name);
  if (options.json) await printReport('tag', report);
  return 0;
}

export interface RemoveCommandOptions extends CommonOptions {
  readonly platform?: readonly string[];
  readonly allTags?: boolean;
}

/** `lading rm`: removes names, or with --platform the content of some platforms of one image. */
export async function remove(images: readonly string[], options: RemoveCommandOptions): Promise<number> {
  const { platform, allTags = false } = options;
  const [image] = images;
  if (platform !== undefined && (images.length !== 1 || allTags)) {
    throw new LadingError('ERR_OPTION_INVALID', 'rm --platform takes one image');
  }
  const store = await openStore(options, 'write');
  const report =
    platform === undefined || image === undefined
      ? await removeImages(store, images, { allTags })
      : await removePlatforms(store, image, platform);
  if (options.json) await printReport('rm', report);
  else await printLines(linesOf(report, sizeFormat(options)));
  return 0;
}

function linesOf({ untagged, deleted, bytes }: RemoveReport, size: SizeFormat): readonly string[] {
  return [
    ...untagged.map((name) => `Untagged: ${parseReference(name).familiar()}`),
    ...deleted.map((digest) => `Deleted: ${digest}`),
    `Freed: ${size(bytes)}`,
  ];
}
