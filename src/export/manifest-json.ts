import { Documents } from '../content/documents.js';
import { inTurns } from '../flow/in-turns.js';
import { entryNameOf } from '../model/archive-layout.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { diffIdsOf } from '../model/image-config.js';
import type { ImageRecord } from '../model/image-list.js';
import type { ImageManifest } from '../model/image-manifest.js';
import { isLayerType } from '../model/media-types.js';
import { selectPlatforms } from '../model/platform-matcher.js';
import type { Platform } from '../model/platform.js';
import { parseReference } from '../model/reference.js';
import type { ManifestNode } from '../stages/records.js';
import { nodesOf } from '../survey/nodes-of.js';
import type { Survey } from '../survey/survey-images.js';

/**
 * The bytes of `manifest.json` for loaders that do not know the OCI layout: one entry for each chosen manifest, with
 * the familiar names of all images that chose it. Undefined if such a loader could load none of the images.
 */
export async function manifestJsonOf(
  documents: Documents,
  survey: Survey,
  targets: readonly ImageRecord[],
  host: Platform,
): Promise<Buffer | undefined> {
  const tagsOf = new Map<Digest, { readonly descriptor: Descriptor; readonly tags: string[] }>();
  for await (const target of inTurns(targets)) {
    const descriptor = choose(survey, target, host);
    if (descriptor === undefined) continue;
    const known = tagsOf.get(descriptor.digest) ?? { descriptor, tags: [] };
    known.tags.push(...tagOf(target));
    tagsOf.set(descriptor.digest, known);
  }
  const entries: object[] = [];
  for (const { descriptor, tags } of tagsOf.values()) entries.push(...(await entryOf(documents, descriptor, tags)));
  return entries.length === 0 ? undefined : Buffer.from(JSON.stringify(entries));
}

/** The packed manifest that suits the host best, else the first one. */
function choose(survey: Survey, target: ImageRecord, host: Platform): Descriptor | undefined {
  const images = nodesOf(survey, target)
    .filter(({ completeness }) => completeness.state === 'complete')
    .map(({ node }) => node)
    .filter(({ kind, subject }) => kind === 'manifest' && subject === undefined);
  const withPlatform = images.filter(
    (node): node is ManifestNode & { platform: Platform } => node.platform !== undefined,
  );
  const candidates = withPlatform.map(({ platform }) => platform);
  const best = withPlatform[selectPlatforms(candidates, { requested: [], host }).first];
  return (best ?? images[0])?.descriptor;
}

function tagOf({ name }: ImageRecord): readonly string[] {
  const reference = name === undefined ? undefined : parseReference(name);
  return reference?.tag === undefined ? [] : [reference.familiar()];
}

async function entryOf(documents: Documents, descriptor: Descriptor, tags: readonly string[]): Promise<object[]> {
  const manifest = await documents.manifest(descriptor);
  if (manifest === undefined || !(await isLoadable(documents, manifest))) return [];
  return [
    {
      Config: entryNameOf(manifest.config.digest),
      // Docker writes null, not an empty list, for an image without a tag.
      RepoTags: tags.length === 0 ? null : tags,
      Layers: manifest.layers.map(({ digest }) => entryNameOf(digest)),
    },
  ];
}

/** An older loader unpacks every layer and needs a diff id for each. */
async function isLoadable(documents: Documents, manifest: ImageManifest): Promise<boolean> {
  if (!manifest.layers.every(({ mediaType }) => isLayerType(mediaType))) return false;
  const config = await documents.imageConfig(manifest);
  return config !== undefined && diffIdsOf(config).length === manifest.layers.length;
}
