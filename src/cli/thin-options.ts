import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { listArchiveLayers } from '../inspect/list-layers.js';
import { LadingError, quote } from '../model/errors.js';
import { parseLayerList } from '../model/layer-list.js';
import { OciLayoutStore } from '../stores/layout/oci-layout-store.js';
import type { BaseSource } from '../verify/verify-base.js';
import { openInput } from './archive-file.js';

/** What a save leaves out: the layers of lists, and those of other archives. */
export interface ThinOptions {
  readonly excludeBlobs?: readonly string[];
  readonly base?: readonly string[];
}

/** The layers to leave out as options of a plan. Throws ERR_OPTION_INVALID for a bad list, and the errors of an archive. */
export async function leftOutBy(
  { excludeBlobs = [], base = [] }: ThinOptions,
  signal: AbortSignal,
): Promise<{ readonly excludeBlobs: readonly string[]; readonly baseNames: readonly string[] }> {
  const digests = new Set<string>(excludeBlobs.flatMap((file) => readLayerList(file, '--exclude-blobs')));
  for (const file of base)
    for (const { digest } of await listArchiveLayers(openInput(file), { signal })) digests.add(digest);
  return {
    excludeBlobs: [...digests],
    baseNames: base.filter((file) => file !== '-').map((file) => path.basename(file)),
  };
}

/** The digests in the file of an option, `-` for stdin. Throws ERR_OPTION_INVALID. */
export function readLayerList(file: string, option: string): readonly string[] {
  return parseLayerList(textOf(file, option), file);
}

function textOf(file: string, option: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const details = { option };
    throw new LadingError('ERR_OPTION_INVALID', `${option}: cannot read ${quote(file)}`, { cause, details });
  }
}

/** Only one of them can be read from stdin. Throws ERR_OPTION_INVALID. */
export function oneOfStdin(files: readonly (string | undefined)[]): void {
  if (files.filter((file) => file === '-').length <= 1) return;
  throw new LadingError('ERR_OPTION_INVALID', 'only one of the files can be stdin (-)');
}

/** What may have the layers of a thin archive: a folder of a store, or another archive. */
export async function basesOf(files: readonly string[] = []): Promise<readonly BaseSource[]> {
  const bases: BaseSource[] = [];
  for (const file of files) bases.push((await storeIn(file)) ?? openInput(file));
  return bases;
}

/** The store in a folder; undefined for anything else. */
async function storeIn(folder: string): Promise<OciLayoutStore | undefined> {
  if (!existsSync(path.join(folder, STORE_FOLDER))) return undefined;
  return await OciLayoutStore.open(folder, { readOnly: true });
}

/** What a store has, and another layout folder has not. */
const STORE_FOLDER = '.lading';
