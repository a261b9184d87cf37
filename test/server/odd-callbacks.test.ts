import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerOptions } from '../../src/server/index.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';

/* What the functions of a caller throw breaks no request: the work is done, and its client is told so. */

const THROWN = [null, undefined, new Error('x')];

const OPTIONS: readonly (readonly [what: string, options: ServerOptions])[] = THROWN.flatMap((thrown, at) => {
  const throwing = (): never => {
    throw thrown;
  };
  const rejecting = async (): Promise<void> => await Promise.reject(thrown);
  return [
    [`an audit that throws value ${at}`, { audit: throwing }],
    [`an audit that rejects with value ${at}`, { audit: rejecting }],
    [`an audit and an onError that throw value ${at}`, { audit: throwing, onError: throwing }],
    [`an audit and an onError that reject with value ${at}`, { audit: rejecting, onError: rejecting }],
  ] as const;
});

const CLOCKS = [Number.NaN, Number.POSITIVE_INFINITY, 1e300, undefined, 'x'].map(
  (time) => [`a clock that says ${String(time)}`, { now: () => time as number }] as const,
);

for (const [what, options] of [...OPTIONS, ...CLOCKS]) {
  test(`a load and a removal are done with ${what}`, async (t) => {
    const { request } = await startEngine(t, options);
    const { images, blobs } = example();
    const body = await layoutArchive(images, blobs);
    const loaded = await request('POST', '/v1.52/images/load', { body });
    assert.deepEqual([loaded.status, /Loaded image/.test(loaded.text)], [200, true], loaded.text);
    assert.equal((await request('DELETE', '/v1.52/images/example/app:1')).status, 200);
  });
}
