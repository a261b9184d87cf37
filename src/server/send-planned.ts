import type { Readable } from 'node:stream';
import { canSend, sendArchive } from '../export/send-archive.js';
import { exportImages, type ExportPlan } from '../index.js';
import type { ByteRange } from './byte-range.js';
import { ChunkedAnswer, onceClosed } from './chunked-answer.js';
import type { Reply, Request, ServerContext } from './context.js';
import { exportFailureOf } from './statuses.js';
import { MAX_THREADED } from './transfers.js';

/** An archive, and the part of it that was asked for; undefined: all. */
export interface Asked {
  readonly plan: ExportPlan;
  readonly range: ByteRange | undefined;
}

/** How sending an archive ended: `OK`, `CLIENT_GONE` or the code of the error, and the bytes that were sent. */
export interface Sent {
  readonly code: string;
  readonly bytes: number;
}

/** The code for a client that went away. */
const CLIENT_GONE = 'CLIENT_GONE';

/**
 * Sends the archive. From its first byte on every error breaks the connection, so that a client never takes a broken
 * archive for a whole one. Throws what failed before.
 */
export async function sendPlanned(
  context: ServerContext,
  request: Request,
  reply: Reply,
  { plan, range }: Asked,
): Promise<Sent> {
  const size = range === undefined ? plan.size : range.end - range.start;
  const { socket } = request.raw;
  const before = socket.bytesWritten;
  const isThreaded = range === undefined && canSend(plan) && context.transfers.active <= MAX_THREADED.save;
  const byThread = isThreaded ? await sendByThread(context, reply, plan) : undefined;
  const code = byThread ?? (await sendAsStream(context, reply, { plan, range }));
  // The socket counts the headers too.
  return { code, bytes: code === 'OK' ? size : Math.min(size, socket.bytesWritten - before) };
}

/** Returns the code of {@link Sent}; undefined, with nothing sent, if the blobs are not in files. */
async function sendByThread(
  { store, turns, stopping, halt }: ServerContext,
  reply: Reply,
  plan: ExportPlan,
): Promise<string | undefined> {
  const ended = new AbortController();
  // Whichever comes first is the reason: a halt closes connections, too.
  const onHalt = (): void => ended.abort();
  halt.addEventListener('abort', onHalt, { once: true, signal: ended.signal });
  if (halt.aborted) onHalt();
  const answer = new ChunkedAnswer(reply, () => ended.abort(CLIENT_GONE));
  const send = async (chunk: Buffer): Promise<void> => {
    await turns.take(chunk.length);
    if (stopping.aborted && !answer.isBegun) reply.header('Connection', 'close');
    await answer.write(chunk);
  };
  try {
    if (!(await sendArchive(store, plan, { send, signal: ended.signal }))) return undefined;
    return (await answer.end()) ? 'OK' : CLIENT_GONE;
  } catch (error) {
    if (ended.signal.reason === CLIENT_GONE) return CLIENT_GONE;
    if (!answer.isBegun) throw error;
    await answer.break();
    return exportFailureOf(error).code;
  }
}

async function sendAsStream(
  { turns, store, halt }: ServerContext,
  reply: Reply,
  { plan, range }: Asked,
): Promise<string> {
  const archive = exportImages(turns.dealReads(store), plan, { signal: halt, ...range });
  let failed: unknown;
  archive.once('error', (error) => {
    failed = error;
  });
  const closed = onceClosed(reply.raw);
  void reply.send(archive);
  await closed;
  archive.destroy();
  return codeOf(reply, archive, failed);
}

function codeOf(reply: Reply, archive: Readable, failed: unknown): string {
  if (reply.raw.writableFinished && archive.readableEnded) return 'OK';
  return failed === undefined ? CLIENT_GONE : exportFailureOf(failed).code;
}
