import { readBody } from './answers.js';
import { digestOf } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { MEDIA_TYPES } from '../model/media-types.js';
import { BlobUploads } from './blob-upload.js';
import { deleteManifest } from './deletions.js';
import { putManifest } from './manifests.js';
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
 * manifest of its own, which is then deleted. A tag that is gone already is no error. `writer` may push, `remover` may
 * delete. Throws ERR_REGISTRY_REFUSED if the registry deletes nothing.
 */
export async function removeTag(writer: Repository, remover: Repository, tag: string): Promise<void> {
  const call = { method: 'DELETE', to: remover.path(`manifests/${tag}`), what: `tag ${remover.label}:${tag}` } as const;
  const answer = await remover.send(call);
  if ([200, 202, 204, 404].includes(answer.status)) return answer.discard();
  if (answer.status !== 400) throw await remover.refusalOf(answer, call);
  await readBody(answer);
  await removeByStandIn(writer, remover, tag);
}

async function removeByStandIn(writer: Repository, remover: Repository, tag: string): Promise<void> {
  const uploads = new BlobUploads(writer);
  if ((await uploads.head(EMPTY_DESCRIPTOR.digest)) === undefined)
    await uploadBlob(uploads, writer.exchange.settings, EMPTY_DESCRIPTOR, {
      open: async function* () {
        yield EMPTY;
      },
    });
  // The tag is in it, so that no other tag can have the same manifest.
  const annotations = { 'dev.lading.removed': tag };
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: EMPTY_DESCRIPTOR,
    layers: [],
    annotations,
  };
  const bytes = Buffer.from(JSON.stringify(document));
  const descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(bytes), size: bytes.length };
  const outcome = await putManifest(writer, tag, { descriptor, bytes });
  if (!outcome.isTaken) throw outcome.error;
  await deleteManifest(remover, descriptor.digest).catch((error: unknown) => {
    // Another client has removed the same tag at the same time.
    if (!(error instanceof LadingError) || error.code !== 'ERR_IMAGE_UNKNOWN') throw error;
  });
}
