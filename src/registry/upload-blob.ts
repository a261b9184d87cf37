import { withoutStart } from '../flow/bodies.js';
import { setTimeout as wait } from 'node:timers/promises';
import type { Content } from '../model/content.js';
import { LadingError } from '../model/errors.js';
import type { IngestOutcome } from '../stores/store.js';
import type { BlobUploads, Upload } from './blob-upload.js';
import { heldBack } from './held-back.js';
import { waitBefore } from './retry-policy.js';
import type { RegistrySettings } from './settings.js';

/** Refusals of a registry that has lost an upload, or got its bytes wrong. */
const LOST: readonly unknown[] = ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'DIGEST_INVALID', 'SIZE_INVALID'];
const PASSING: readonly string[] = ['ERR_REGISTRY_UNREACHABLE', 'ERR_REGISTRY_UNAVAILABLE', 'ERR_REGISTRY_RATE'];

/** Whether an upload may succeed if it is tried again. */
export function isWorthRetry(error: unknown): boolean {
  if (!(error instanceof LadingError)) return false;
  return PASSING.includes(error.code) || LOST.includes(error.details['registryCode']);
}

/** Waits before the next try of an upload, or throws the error of the last one. */
export async function waitOrThrow(error: unknown, failed: number, settings: RegistrySettings): Promise<void> {
  const ms =
    isWorthRetry(error) && settings.signal?.aborted !== true ? waitBefore(failed, undefined, settings) : undefined;
  if (ms === undefined) throw error;
  await wait(ms, undefined, { signal: settings.signal });
}

/**
 * Uploads a blob whose bytes can be read again, in one request. After a failure it goes on where the registry is, or
 * starts over. The request is never complete before all bytes have the digest.
 */
export async function uploadBlob(
  uploads: BlobUploads,
  settings: RegistrySettings,
  content: Content,
  { open, begun }: { readonly open: () => AsyncIterable<Uint8Array>; readonly begun?: Upload | undefined },
): Promise<IngestOutcome> {
  let current = begun;
  let received = 0;
  for (let failed = 1; ; failed += 1) {
    try {
      current ??= await uploads.begin(content.digest);
      if (current === undefined) return 'present';
      const [skipped, upload] = [received, current];
      const part = { size: content.size - skipped, open: () => withoutStart(heldBack(open(), content), skipped) };
      await uploads.finish(upload, content, part, true);
      return 'stored';
    } catch (error) {
      const lost = current;
      current = undefined;
      received = 0;
      if (isWorthRetry(error)) {
        // The answer to a whole upload may be all that was lost.
        if (await uploads.isHere(content).catch(() => false)) return 'stored';
        const status = lost && (await uploads.status(lost).catch(() => undefined));
        if (status !== undefined && status.received > 0 && status.received < content.size)
          [current, received] = [status.upload, status.received];
      }
      if (lost !== undefined && current === undefined) await uploads.cancel(lost);
      await waitOrThrow(error, failed, settings);
    }
  }
}
