import { LadingError } from '../model/errors.js';
import type { HttpAnswer } from './http-client.js';
import { brokenProtocol, unreachable, type Asked } from './registry-errors.js';
import { TransportError } from './watch.js';

/** An answer, and the URL that gave it, after redirects. */
export interface Answer extends HttpAnswer {
  readonly url: URL;
}

/** Of the body of an error no more is read. */
const ERROR_BYTES = 64 * 1024;

/**
 * The body of an answer. Beyond `maxBytes` the body of an error is cut; with `asked`, it is ERR_REGISTRY_PROTOCOL.
 * Throws ERR_REGISTRY_UNREACHABLE if the connection is cut.
 */
export async function readBody(answer: Answer, maxBytes = ERROR_BYTES, asked?: Asked): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > maxBytes && asked !== undefined)
        throw brokenProtocol(asked, `the answer has more than ${maxBytes} bytes`);
      chunks.push(chunk);
      if (size > maxBytes) break;
    }
  } catch (error) {
    if (error instanceof LadingError) throw error;
    if (asked !== undefined) throw unreachable(TransportError.from(error), asked);
    // The refusal itself counts, not what else its body would have said.
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}
