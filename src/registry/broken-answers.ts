import type { TransportError } from './watch.js';

/** Docker Hub's edge refuses with lines that end in LF alone, which is no HTTP: what can still be read of it. */
export function rateOf({ raw }: TransportError) {
  const status = Number(/^HTTP\/1\.[01] (429|503) /.exec(raw ?? '')?.[1] ?? 0);
  const retryAfter = /^retry-after: *([^\r\n]*)/im.exec(raw ?? '')?.[1];
  return status === 0
    ? undefined
    : { status, retryAfter, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } };
}
