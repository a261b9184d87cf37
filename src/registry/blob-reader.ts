import { createGunzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { withoutStart } from '../flow/bodies.js';
import { sizeMismatch } from '../content/mismatch.js';
import type { ByteRange, Content } from '../model/content.js';
import { LadingError } from '../model/errors.js';
import type { Answer } from './answers.js';
import { unreachable } from './registry-errors.js';
import type { Repository, RepositoryCall } from './repository.js';
import { waitBefore } from './retry-policy.js';
import { setTimeout as wait } from 'node:timers/promises';
import { TransportError } from './watch.js';

/** A body that has come this much further has made progress: its tries are counted anew. */
const PROGRESS_BYTES = 1024 * 1024;

/** A registry may know a new blob a little later than its manifest, in milliseconds. */
const SECOND_LOOK_MS = 1000;

/**
 * The bytes of a blob, or of a part of it, not verified. A body that is cut goes on where it ended, so that its reader
 * does not notice. Throws ERR_BLOB_MISSING, ERR_SIZE_MISMATCH, and what registries refuse. Holds one chunk.
 */
export async function* readBlob(
  repository: Repository,
  content: Content,
  { start = 0, end = content.size }: Partial<ByteRange> = {},
): AsyncGenerator<Buffer> {
  const last = Math.min(end, content.size);
  let at = start;
  let [failed, mark] = [0, start];
  while (at < last) {
    try {
      for await (const chunk of await openAt(repository, content, at)) {
        const wanted = chunk.subarray(0, last - at);
        at += wanted.length;
        if (wanted.length > 0) yield wanted;
        if (at === last) break;
      }
      if (at < last) throw new TransportError('connection', 'the body ended early');
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      if (at - mark >= PROGRESS_BYTES) [failed, mark] = [0, at];
      failed += 1;
      const { settings } = repository.exchange;
      const rules = { ...settings, attempts: repository.attempts };
      const ms = settings.signal?.aborted === true ? undefined : waitBefore(failed, undefined, rules);
      if (ms === undefined) throw cutError(repository, content, error, at);
      await wait(ms, undefined, { signal: settings.signal });
    }
  }
}

function cutError(repository: Repository, { digest }: Content, error: TransportError, at: number): LadingError {
  const { host } = repository.name;
  return unreachable(error, { host, what: `blob ${digest}, after ${at} bytes`, method: 'GET', origin: host });
}

/** The body of a request for the bytes from a place on. */
async function openAt(repository: Repository, content: Content, at: number): Promise<AsyncIterable<Buffer>> {
  const call = callFor(repository, content, at);
  const answer = await sendTwice(repository, call);
  const { status } = answer;
  if (status === 206) return partOf(repository, answer, call, content, at);
  // A registry that knows no ranges sends all again: what was handed on before is dropped.
  if (status === 200) return withoutStart(wholeOf(repository, answer, call, content), at);
  if (status === 416) {
    answer.discard();
    throw repository.broken(answer, call, `it has no bytes from ${at} on, of ${content.size}`);
  }
  if (status !== 404) throw await repository.refusalOf(answer, call);
  answer.discard();
  const message = `registry ${repository.name.host}: blob ${content.digest} is not in ${repository.label}, though a manifest names it; push the image again`;
  throw new LadingError('ERR_BLOB_MISSING', message, {
    details: { digest: content.digest, host: repository.name.host },
  });
}

async function sendTwice(repository: Repository, call: RepositoryCall): Promise<Answer> {
  const answer = await repository.send(call);
  if (answer.status !== 404 || repository.isMirror) return answer;
  answer.discard();
  await wait(SECOND_LOOK_MS, undefined, { signal: repository.exchange.settings.signal });
  return await repository.send(call);
}

function callFor(repository: Repository, { digest }: Content, at: number): RepositoryCall {
  const hasRange = at > 0 && !repository.exchange.memory.lacks(repository.name.host, 'range');
  return {
    method: 'GET',
    to: repository.path(`blobs/${digest}`),
    what: `blob ${digest}`,
    ...(hasRange && { headers: { range: `bytes=${at}-` } }),
  };
}

function partOf(
  repository: Repository,
  answer: Answer,
  call: RepositoryCall,
  { size }: Content,
  at: number,
): AsyncIterable<Buffer> {
  const [, start, , total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.headers['content-range'] ?? '') ?? [];
  const fits = Number(start) === at && (total === '*' || Number(total) === size);
  if (fits && isPlain(answer)) return answer.body;
  answer.discard();
  throw repository.broken(answer, call, `it gave another part than the one from ${at} on, of ${size} bytes`);
}

function wholeOf(
  repository: Repository,
  answer: Answer,
  call: RepositoryCall,
  content: Content,
): AsyncIterable<Buffer> {
  const told = answer.headers['content-length'];
  if (isPlain(answer) || Number(told) === content.size) {
    if (told === undefined || Number(told) === content.size) return answer.body;
    answer.discard();
    throw sizeMismatch(content, Number(told));
  }
  // Some registries pack what they were asked not to pack. The reader takes no more than the blob has.
  if (answer.headers['content-encoding'] === 'gzip') return unpacked(answer.body);
  answer.discard();
  throw repository.broken(answer, call, 'it came in an encoding that was not asked for');
}

function isPlain({ headers }: Answer): boolean {
  return ['', 'identity'].includes(headers['content-encoding'] ?? '');
}

async function* unpacked(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(body);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
