import { LadingError, quote } from '../model/errors.js';
import { isImage, labelOfTag, type ImageRecord } from '../model/image-list.js';
import type { OciLayoutStore } from '../stores/layout/oci-layout-store.js';
import { readListFile } from './list-file.js';

/** Where the names of the images to save come from, beside the command line. */
export interface ChosenOptions {
  readonly all?: boolean;
  readonly fromFile?: string;
}

/** The names in the file of `--from-file`, one in each line. Throws ERR_OPTION_INVALID for other lines, and for none. */
export function namesInFile(file: string): readonly string[] {
  const lines = readListFile(file);
  const wrong = lines.find(({ text }) => /\s/.test(text));
  if (wrong !== undefined) throw invalid(`${file}:${wrong.number}: a line is one image, not ${quote(wrong.text)}`);
  if (lines.length === 0) throw invalid(`${quote(file)} has no line with an image`);
  return lines.map(({ text }) => text);
}

/**
 * What names every image of the store that a prune keeps: by its names, by its tag, or by its digest if it was loaded
 * without either. Throws ERR_IMAGE_UNKNOWN if there is none.
 */
export async function namesOfAll(store: OciLayoutStore): Promise<readonly string[]> {
  const records = (await store.list()).filter((record) => isImage(record) && record.replaced === undefined);
  const named = new Set(records.filter((record) => labelOf(record) !== undefined).map(digestOf));
  const texts = records.flatMap((record) => labelOf(record) ?? (named.has(digestOf(record)) ? [] : digestOf(record)));
  if (texts.length === 0) throw new LadingError('ERR_IMAGE_UNKNOWN', 'the store has no image to save');
  return [...new Set(texts)];
}

function labelOf(record: ImageRecord): string | undefined {
  return record.name ?? labelOfTag(record);
}

function digestOf({ descriptor }: ImageRecord): string {
  return descriptor.digest;
}

function invalid(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: '--from-file' } });
}
