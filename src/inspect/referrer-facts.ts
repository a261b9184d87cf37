import type { Descriptor } from '../model/descriptor.js';
import type { ImageManifest } from '../model/image-manifest.js';
import { isImageConfigType } from '../model/media-types.js';
import { signaturesIn } from '../trust/signatures-in.js';

/** What a referrer is, as far as its descriptor and its manifest tell. */
export interface ReferrerFacts {
  readonly artifactType?: string;
  readonly predicateTypes?: readonly string[];
}

/** The config of an artifact that has none (image-spec, "Guidance for an Empty Descriptor"). */
const EMPTY_CONFIG = 'application/vnd.oci.empty.v1+json';

/** The facts of a referrer whose document is here or not. */
export function referrerFacts(descriptor: Descriptor, manifest: ImageManifest | undefined): ReferrerFacts {
  const found = manifest === undefined ? [] : signaturesIn(manifest, descriptor.digest);
  const types = found.flatMap(({ predicateType }) => predicateType ?? []);
  const artifactType = descriptor.artifactType ?? manifest?.artifactType ?? typeOfContent(manifest);
  return {
    ...(artifactType !== undefined && { artifactType }),
    ...(types.length > 0 && { predicateTypes: [...new Set(types)] }),
  };
}

/** An artifact without a type of its own is known by its config, or else by its first layer, as cosign's signatures. */
function typeOfContent(manifest: ImageManifest | undefined): string | undefined {
  if (manifest === undefined) return undefined;
  const { config, layers } = manifest;
  const tells = config.mediaType !== EMPTY_CONFIG && !isImageConfigType(config.mediaType);
  return tells ? config.mediaType : layers[0]?.mediaType;
}
