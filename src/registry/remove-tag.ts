import { digestOf, type Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { MEDIA_TYPES } from '../model/media-types.js';
import { readBody } from './answers.js';
import { BlobUploads } from './blob-upload.js';
import { deleteManifest } from './deletions.js';
import { Manifests, putManifest, type FetchedManifest } from './manifests.js';
import type { Repository } from './repository.js';
import { uploadBlob } from './upload-blob.js';

/** The config of a manifest that is about nothing (image-spec, "Guidance for an Empty Descriptor"). */
const EMPTY = Buffer.from('{}');
const EMPTY_DESCRIPTOR = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(EMPTY),
  size: EMPTY.length,
};

/**
 * Removes one tag, and no other tag of the same image. Where a registry deletes manifests only, the tag first gets a
 * manifest of its own, which is then deleted; the registry is asked before whether it deletes any, and the tag gets its
 * image back if it does not. A tag that is gone already is no error. `writer` may push, `remover` may delete. Throws
 * ERR_REGISTRY_REFUSED if the registry deletes nothing.
 */
export async function removeTag(writer: Repository, remover: Repository, tag: string): Promise<void> {
  const call = { method: 'DELETE', to: remover.path(`manifests/${tag}`), what: `tag ${remover.label}:${tag}` } as const;
  const answer = await remover.send(call);
  if ([200, 202, 204, 404].includes(answer.status)) return answer.discard();
  if (answer.status !== 400 && answer.status !== 405) throw await remover.refusalOf(answer, call);
  await readBody(answer);
  await removeByStandIn(writer, remover, tag);
}

/** The digest of the manifest that a tag has while it is being removed: no other tag can have it. */
export function standInDigest(tag: string): Digest {
  return standInFor(tag).descriptor.digest;
}

function standInFor(tag: string): FetchedManifest {
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: EMPTY_DESCRIPTOR,
    layers: [],
    annotations: { 'dev.lading.removed': tag },
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, descriptor: { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(bytes), size: bytes.length } };
}

async function removeByStandIn(writer: Repository, remover: Repository, tag: string): Promise<void> {
  const standIn = standInFor(tag);
  // Nothing is there to be deleted yet, unless another removal was cut off here: a registry that deletes nothing says so.
  await deleteIfThere(remover, standIn.descriptor.digest);
  const manifests = new Manifests(writer, DEFAULT_LIMITS.maxDocumentBytes);
  const image = await manifests.get(tag);
  if (image === undefined) return;
  try {
    await sendEmptyConfig(writer);
    await put(writer, tag, standIn);
    await deleteIfThere(remover, standIn.descriptor.digest);
  } catch (error) {
    throw await restored(manifests, writer, { tag, image, error });
  }
}

async function sendEmptyConfig(writer: Repository): Promise<void> {
  const uploads = new BlobUploads(writer);
  if ((await uploads.head(EMPTY_DESCRIPTOR.digest)) !== undefined) return;
  await uploadBlob(uploads, writer.exchange.settings, EMPTY_DESCRIPTOR, {
    open: async function* () {
      yield EMPTY;
    },
  });
}

async function put(writer: Repository, tag: string, manifest: FetchedManifest): Promise<void> {
  const outcome = await putManifest(writer, tag, manifest);
  if (!outcome.isTaken) throw outcome.error;
}

async function deleteIfThere(remover: Repository, digest: Digest): Promise<void> {
  await deleteManifest(remover, digest).catch((error: unknown) => {
    if (!(error instanceof LadingError) || error.code !== 'ERR_IMAGE_UNKNOWN') throw error;
  });
}

/** Gives a tag its image back if it has the stand-in. Returns the error to throw, which says so if that failed, too. */
async function restored(
  manifests: Manifests,
  writer: Repository,
  { tag, image, error }: { readonly tag: string; readonly image: FetchedManifest; readonly error: unknown },
): Promise<unknown> {
  try {
    const now = await manifests.head(tag);
    if (now?.digest === standInDigest(tag)) await put(writer, tag, image);
    return error;
  } catch (cause) {
    const { digest } = image.descriptor;
    const own = error instanceof LadingError ? error : undefined;
    const message = `${(error as Error).message}; the tag ${quote(`${writer.label}:${tag}`)} may be left without its image ${digest}: try to remove it again, or copy ${writer.label}@${digest} to it`;
    return new LadingError(own?.code ?? 'ERR_REGISTRY_REFUSED', message, {
      cause,
      details: { ...own?.details, digest },
    });
  }
}
