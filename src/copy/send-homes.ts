import type { Content } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { ImageDestination, ImageSource } from '../stores/store.js';
import { copyBlobs, type CopyCounts } from './copy-blobs.js';
import type { SharedWork } from './shared-work.js';

/** Blobs that are to be in a repository before others look for them there. */
export interface HomeWork {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly blobs: readonly Content[];
}

/** What a run shares with the copies that follow it. */
export interface HomeOptions {
  readonly work: SharedWork;
  readonly place: string;
  readonly signal: AbortSignal | undefined;
}

/** Brings blobs into the repository that is their home, without an image: it needs them soon, and no tag moves. */
export async function sendHomes(
  { source, destination, blobs }: HomeWork,
  { work, place, signal }: HomeOptions,
): Promise<CopyCounts> {
  const session = await destination.session();
  const reader = await source.reader();
  try {
    const wanted = blobs.map(({ digest, size }) => ({ digest, size, kind: 'blob' as const }));
    return await copyBlobs(reader, session, wanted, { shared: work, place, signal, stored: new Map<Digest, number>() });
  } finally {
    await reader.end();
    await session.end();
  }
}
