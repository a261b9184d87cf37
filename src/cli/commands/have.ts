import { listArchiveLayers, listLayers } from '../../inspect/list-layers.js';
import type { Content } from '../../model/content.js';
import { LadingError } from '../../model/errors.js';
import { formatLayerList } from '../../model/layer-list.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printReport, printText } from '../console.js';
import { parseDuration } from '../duration.js';
import { inputChoice } from '../input-choice.js';
import { readLayerList } from '../thin-options.js';

export interface HaveOptions extends CommonOptions {
  readonly archive?: string;
  readonly platform?: readonly string[];
  readonly among?: string;
  readonly hold?: string;
}

/** `lading have`: lists the layers that are here, for a save that leaves them out. */
export async function have(
  images: readonly string[],
  options: HaveOptions,
  { signal }: CommandContext,
): Promise<number> {
  const layers = await layersOf(images, options, signal);
  if (options.json) await printReport('have', { layers });
  else await printText(formatLayerList(layers));
  return 0;
}

async function layersOf(
  images: readonly string[],
  { archive, platform: platforms = [], among, hold, ...common }: HaveOptions,
  signal: AbortSignal,
): Promise<readonly Content[]> {
  const chosen = { platforms, signal };
  if (archive !== undefined) {
    if (images.length > 0 || among !== undefined || hold !== undefined)
      throw wrong('have --archive takes no names, no --among and no --hold; one image is --archive FILE:TAG');
    const { input, image } = inputChoice(archive);
    return await listArchiveLayers(openInput(input), { ...chosen, images: image === undefined ? [] : [image] });
  }
  const asked = among === undefined ? undefined : readLayerList(among, '--among');
  const holdMs = hold === undefined ? 0 : parseDuration(hold);
  if (holdMs > MAX_HOLD_MS) throw wrong('--hold keeps layers for 24h at most');
  const store = await openStore(common, holdMs > 0 ? 'write' : 'read');
  return await listLayers(store, { ...chosen, images, holdMs, ...(asked && { among: asked }) });
}

/** As long as the blobs of an interrupted load are kept. */
const MAX_HOLD_MS = 24 * 60 * 60 * 1000;

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
