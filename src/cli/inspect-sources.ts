import { inspectArchive, type ArchiveInspection } from '../inspect/inspect-archive.js';
import { inspectImages, inspectRecords, type ImageInspection, type InspectOptions } from '../inspect/inspect-images.js';
import { LadingError } from '../model/errors.js';
import { DOCKER_SCHEME, parseRegistryReference, repositoryOf } from '../registry/registry-name.js';
import { openInput } from './archive-file.js';
import { openStore, type CommonOptions } from './command-context.js';
import { hintArchive } from './hints.js';
import { inputChoice } from './input-choice.js';
import { withRegistries } from './registry-access.js';
import type { RegistryOptions } from './registry-options.js';

/** Where `lading inspect` looks. */
export interface SourceOptions extends CommonOptions, RegistryOptions {
  readonly archive?: readonly string[];
  readonly checkBlobs?: boolean;
}

/** What the options of the command say of the inspection itself. */
type HowToInspect = InspectOptions & { readonly signal: AbortSignal };

/** Inspects images of the store and of registries, or all images of archives. */
export async function inspectSources(
  texts: readonly string[],
  options: SourceOptions,
  how: HowToInspect,
): Promise<ArchiveInspection> {
  const { archive = [] } = options;
  if ((texts.length === 0) === (archive.length === 0))
    throw new LadingError('ERR_OPTION_INVALID', 'name images, or archives with --archive FILE');
  if (archive.length === 0) return { images: await inspectNamed(texts, options, how), warnings: [] };
  const found: ArchiveInspection[] = [];
  for (const file of archive) {
    const { input, image } = inputChoice(file);
    found.push(await inspectArchive(openInput(input), { ...how, images: image === undefined ? [] : [image] }));
  }
  return { images: found.flatMap(({ images }) => images), warnings: found.flatMap(({ warnings }) => warnings) };
}

/** Those of the store first, each root once. */
async function inspectNamed(
  texts: readonly string[],
  options: SourceOptions,
  how: HowToInspect,
): Promise<readonly ImageInspection[]> {
  const remote = texts.filter((text) => text.startsWith(DOCKER_SCHEME));
  const local = texts.filter((text) => !text.startsWith(DOCKER_SCHEME));
  const images = local.length === 0 ? [] : [...(await inspectInStore(local, options, how))];
  for (const text of remote) images.push(...(await inspectInRegistry(text, options, how)));
  return images;
}

async function inspectInStore(
  texts: readonly string[],
  options: SourceOptions,
  how: HowToInspect,
): Promise<readonly ImageInspection[]> {
  const store = await openStore(options, 'read');
  return await inspectImages(store, texts, how).catch((error: unknown) => {
    throw hintArchive(error);
  });
}

/** An image of a registry. Of its layers only what its manifests say of them is looked at. */
async function inspectInRegistry(
  image: string,
  options: SourceOptions,
  how: HowToInspect,
): Promise<readonly ImageInspection[]> {
  const reference = parseRegistryReference(image).withDefaultTag();
  const { host } = repositoryOf(reference);
  return await withRegistries(options, { signal: how.signal }, host, async (registries) => {
    const source = registries.source({ checkBlobs: options.checkBlobs ?? false });
    const records = await source.resolve([reference.toString()]);
    return await inspectRecords(source, records, records, how);
  });
}
