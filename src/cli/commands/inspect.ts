import { inspectArchive, type ArchiveInspection } from '../../inspect/inspect-archive.js';
import {
  inspectImages,
  inspectRecords,
  type ImageInspection,
  type PlatformInspection,
} from '../../inspect/inspect-images.js';
import { LadingError } from '../../model/errors.js';
import { labelOfTag } from '../../model/image-list.js';
import { parseReference } from '../../model/reference.js';
import { DOCKER_SCHEME, parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import { isAnyMissing } from '../../survey/reports.js';
import { openInput } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { formatBytes, printLines, printReport, warn } from '../console.js';
import { hintArchive } from '../hints.js';
import { inputChoice } from '../input-choice.js';
import { compareNaturally } from '../natural-order.js';
import { withRegistries } from '../registry-access.js';
import type { RegistryOptions } from '../registry-options.js';

export interface InspectOptions extends CommonOptions, RegistryOptions {
  readonly archive?: string;
  readonly checkBlobs?: boolean;
}

/** `lading inspect`: shows an image of the store, or with --archive every image of an archive. */
export async function inspect(
  image: string | undefined,
  options: InspectOptions,
  { signal }: CommandContext,
): Promise<number> {
  const { images, warnings } = await inspectWhat(image, options, signal);
  warn([...warnings, ...images.flatMap((one) => one.warnings)], options);
  if (options.json) await printReport('inspect', { images, warnings, incomplete: isAnyMissing(images) });
  else await printLines(images.flatMap(linesOf));
  return 0;
}

async function inspectWhat(
  image: string | undefined,
  options: InspectOptions,
  signal: AbortSignal,
): Promise<ArchiveInspection> {
  if ((image === undefined) === (options.archive === undefined)) {
    throw new LadingError('ERR_OPTION_INVALID', 'name an image, or an archive with --archive FILE');
  }
  if (image === undefined) {
    const { input, image: chosen } = inputChoice(options.archive);
    return await inspectArchive(openInput(input), { signal, images: chosen === undefined ? [] : [chosen] });
  }
  if (image.startsWith(DOCKER_SCHEME)) return { images: await inspectInRegistry(image, options, signal), warnings: [] };
  const store = await openStore(options, 'read');
  const images = await inspectImages(store, image, { signal }).catch((error: unknown) => {
    throw hintArchive(error);
  });
  return { images, warnings: [] };
}

/** An image of a registry. Of its layers only what its manifests say of them is looked at. */
async function inspectInRegistry(
  image: string,
  options: InspectOptions,
  signal: AbortSignal,
): Promise<readonly ImageInspection[]> {
  const reference = parseRegistryReference(image).withDefaultTag();
  const { host } = repositoryOf(reference);
  return await withRegistries(options, { signal }, host, async (registries) => {
    const source = registries.source({ checkBlobs: options.checkBlobs ?? false });
    const records = await source.resolve([reference.toString()]);
    return await inspectRecords(source, records, records, { signal });
  });
}

function linesOf({ name, tag, names, digest, mediaType, platforms, referrers }: ImageInspection): readonly string[] {
  const others = names
    .filter((other) => other !== name)
    .toSorted(compareNaturally)
    .map((other) => parseReference(other).familiar());
  return [
    name === undefined ? (labelOfTag({ tag }) ?? '<none>') : parseReference(name).familiar(),
    `  digest      ${digest}`,
    `  type        ${mediaType}`,
    ...(others.length > 0 ? [`  also named  ${others.join(', ')}`] : []),
    ...platforms.flatMap(platformLines),
    ...referrers.map(
      ({ digest: referrer, subject, state }) => `  referrer    ${referrer} (${state}), refers to ${subject}`,
    ),
  ];
}

function platformLines(platform: PlatformInspection): readonly string[] {
  const { layers = [], bytes, sharedBytes = 0, missing } = platform;
  const size = bytes === undefined ? '' : `, ${formatBytes(bytes)} (${formatBytes(sharedBytes)} shared)`;
  return [
    `  ${platform.platform}: ${platform.state}${missing === undefined ? '' : `, ${missing} is missing`}${size}`,
    ...(platform.digest === undefined ? [] : [`    manifest    ${platform.digest}`]),
    ...(platform.created === undefined ? [] : [`    created     ${platform.created}`]),
    ...(platform.entrypoint === undefined ? [] : [`    entrypoint  ${JSON.stringify(platform.entrypoint)}`]),
    ...(platform.command === undefined ? [] : [`    command     ${JSON.stringify(platform.command)}`]),
    ...Object.entries(platform.labels ?? {}).map(([key, value]) => `    label       ${key}=${value}`),
    ...layers.map(
      ({ digest, size: layerSize, mediaType }) => `    layer       ${digest} ${formatBytes(layerSize)} ${mediaType}`,
    ),
  ];
}
