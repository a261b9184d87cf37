import pLimit, { type LimitFunction } from 'p-limit';
import type { FoundBlob } from '../content/content-provider.js';
import { throwIfAborted } from '../model/aborted.js';
import type { Digest } from '../model/digest.js';
import { asError, LadingError } from '../model/errors.js';
import type { DestinationSession, ExpectedContent, IngestOutcome, SourceReader } from '../stores/store.js';
import { againWithoutMirror } from '../registry/mirrors.js';
import type { SharedWork } from './shared-work.js';

/** One blob to copy. With `bytes` it was made here; otherwise the source has it. */
export interface BlobCopy extends ExpectedContent {
  readonly bytes?: Buffer;
}

/** Blobs that came to the destination, and those that it had. */
export interface CopyCounts {
  readonly copied: number;
  readonly present: number;
  readonly bytesCopied: number;
  readonly bytesPresent: number;
}

/** What happens to one blob of a copy. */
export interface CopyEvent extends ExpectedContent {
  /** `waiting`: it will be copied. A body that is cut may start anew, and then `bytes` is smaller than before. */
  readonly state: 'waiting' | 'copying' | 'copied' | 'present';
  /** How many of its bytes have come so far. */
  readonly bytes: number;
  /** The repository of the same registry in which the destination found it. */
  readonly mountedFrom?: string;
}

/** What the copy shares with others, and where to note what was stored. */
export interface CopyBlobsOptions {
  readonly shared: SharedWork;
  /** Blobs that travel to the same place go there once. */
  readonly place: string;
  readonly signal: AbortSignal | undefined;
  readonly stored: Map<Digest, number>;
  readonly onBlob?: ((event: CopyEvent) => void) | undefined;
}

/** Look-ups at once of what the destination has. */
const LOOKUPS = 8;

/**
 * Copies the blobs that the destination lacks: documents first, then layers, the largest first. After an error no
 * further blob begins, and those on their way come to their end.
 */
export async function copyBlobs(
  reader: SourceReader,
  session: DestinationSession,
  blobs: readonly BlobCopy[],
  { shared, place, signal, stored, onBlob = () => {} }: CopyBlobsOptions,
): Promise<CopyCounts> {
  const isLacking = pLimit(LOOKUPS);
  const documents = blobs.filter(({ kind }) => kind === 'manifest');
  // A registry learns from a manifest which content to mount, so manifests come first.
  const counts = { copied: 0, present: 0, bytesCopied: 0, bytesPresent: 0 };
  const tell = ({ digest, size, kind }: BlobCopy, event: Pick<CopyEvent, 'state' | 'bytes' | 'mountedFrom'>): void =>
    onBlob({ digest, size, kind, ...event });
  const note = (blob: BlobCopy, outcome: IngestOutcome, found?: FoundBlob): void => {
    const { size, digest } = blob;
    const mountedFrom = found?.mountedFrom;
    const state = outcome === 'stored' ? 'copied' : 'present';
    tell(blob, { state, bytes: size, ...(mountedFrom !== undefined && { mountedFrom }) });
    if (outcome === 'stored') stored.set(digest, size);
    counts[outcome === 'stored' ? 'copied' : 'present'] += 1;
    counts[outcome === 'stored' ? 'bytesCopied' : 'bytesPresent'] += size;
  };
  const copyAll = async (some: readonly BlobCopy[]): Promise<void> => {
    const asked = some.map((blob) => isLacking(async () => await findHere(session, blob)));
    const here = await Promise.all(asked);
    const lacking = some.filter((_, at) => here[at] === undefined);
    for (const blob of lacking) tell(blob, { state: 'waiting', bytes: 0 });
    for (const [at, blob] of some.entries()) if (here[at] !== undefined) note(blob, 'present', here[at]);
    await inParallel(shared.limit, lacking, async (blob) => {
      throwIfAborted(signal, 'the copy');
      const work = async () =>
        await copyBlob(reader, session, blob, (bytes) => tell(blob, { state: 'copying', bytes }));
      // Documents may wait in the session until its end, so no other session finds them.
      if (blob.kind === 'manifest') return note(blob, await work());
      let found: FoundBlob | undefined;
      const find = async () =>
        (found = await findHere(session, blob)) === undefined ? undefined : ('present' as const);
      note(blob, await shared.once(place, blob.digest, { find, work }), found);
    });
  };
  await copyAll(documents);
  await copyAll(blobs.filter(({ kind }) => kind === 'blob').toSorted((a, b) => b.size - a.size));
  return counts;
}

async function findHere(session: DestinationSession, { digest, size, kind }: BlobCopy): Promise<FoundBlob | undefined> {
  const found = await session.stat(digest, kind);
  return found?.size === size ? found : undefined;
}

/** Does all the work within the limit. Throws the first error when every piece that had begun is over. */
async function inParallel<T>(
  limit: LimitFunction,
  pieces: readonly T[],
  work: (piece: T) => Promise<void>,
): Promise<void> {
  const failures: Error[] = [];
  const all = pieces.map((piece) =>
    limit(async () => {
      if (failures.length > 0) return;
      await work(piece).catch((error: unknown) => failures.push(asError(error)));
    }),
  );
  await Promise.all(all);
  const [first] = failures;
  if (first !== undefined) throw first;
}

/** Copies a blob; once again if a mirror gave wrong bytes, since its source asks another place then. */
async function copyBlob(...copied: Parameters<typeof copyOnce>): Promise<IngestOutcome> {
  return await againWithoutMirror(async () => await copyOnce(...copied));
}

async function copyOnce(
  reader: SourceReader,
  session: DestinationSession,
  blob: BlobCopy,
  onBytes: (bytes: number) => void,
): Promise<IngestOutcome> {
  const { digest, size, kind, bytes } = blob;
  // It ends one byte late, to notice a blob that is too long.
  const open = (): AsyncIterable<Uint8Array> =>
    counted(
      bytes === undefined ? reader.open(digest, { kind, range: { start: 0, end: size + 1 } }) : inMemory(bytes),
      onBytes,
    );
  if (session.transfers !== undefined) return await session.transfers.transfer({ digest, size, kind }, open);
  const ingest = await session.begin({ digest, size, kind });
  try {
    for await (const chunk of open()) await ingest.write(chunk);
    return await ingest.commit({ digest, size });
  } finally {
    // After a commit it does nothing.
    await ingest.abort();
  }
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    onBytes(bytes);
    yield chunk;
  }
}

async function* inMemory(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** Throws ERR_OPTION_INVALID for a number of jobs that cannot be. */
export function checkJobs(jobs: number, name: string): void {
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 64) return;
  throw new LadingError('ERR_OPTION_INVALID', `${name} must be a whole number from 1 to 64`, {
    details: { option: name },
  });
}
