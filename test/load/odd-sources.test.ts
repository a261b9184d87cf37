import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { test } from 'node:test';
import type { LoadSource } from '../../src/load/archive-entries.js';
import { loadImages, type LoadOptions } from '../../src/load/load-images.js';
import { LadingError } from '../../src/model/errors.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example } from '../fixtures/example.js';
import { chunksOf } from '../fixtures/loading.js';
import { onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';

/* A source or a callback of the caller may do anything: the load then fails, at once and with a LadingError. */

const { images, blobs } = example();
const archive = await layoutArchive(images, blobs);
const head = archive.subarray(0, 3000);

/** Gives the start of an archive, then does something else. */
async function* after(rest: () => unknown): AsyncGenerator<Uint8Array> {
  yield head;
  yield (await rest()) as Uint8Array;
}

/** A source that throws this after its first bytes. */
function throwing(thrown: unknown): LoadSource {
  return after(() => {
    throw thrown;
  });
}

/** A stream that gives its first bytes, and is then destroyed with this. */
function destroyed(by: unknown): Readable {
  const stream = new PassThrough();
  stream.write(head);
  setImmediate(() => stream.destroy(by as Error));
  return stream;
}

const odd = (value: unknown): LoadSource => value as LoadSource;

const SOURCES: readonly (readonly [what: string, source: () => LoadSource, code: string])[] = [
  ['a stream of texts', () => Readable.from(['text', 'more']), 'ERR_OPTION_INVALID'],
  ['a stream of objects', () => Readable.from([{ name: 'index.json' }]), 'ERR_OPTION_INVALID'],
  ['a stream of numbers', () => Readable.from([1, 2, 3]), 'ERR_OPTION_INVALID'],
  [
    'a stream of bytes with an encoding',
    () => Readable.from([archive], { objectMode: false }).setEncoding('utf8'),
    'ERR_OPTION_INVALID',
  ],
  ['a generator that gives an object later', () => after(() => ({})), 'ERR_OPTION_INVALID'],
  ['a generator that gives null', () => after(() => null), 'ERR_OPTION_INVALID'],
  ['a generator that gives undefined', () => after(() => undefined), 'ERR_OPTION_INVALID'],
  ['a generator of lists', () => after(() => [1, 2]), 'ERR_OPTION_INVALID'],
  ...[null, undefined, 0, '', 'text', false, Symbol('x'), {}, new Error('x'), Object.create(null)].map(
    (thrown, at) => [`a generator that throws value ${at}`, () => throwing(thrown), 'ERR_STORAGE_IO'] as const,
  ),
  ...[null, undefined, 0, 'text', Symbol('x'), new Error('x')].map(
    (by, at) => [`a stream that is destroyed with value ${at}`, () => destroyed(by), 'ERR_STORAGE_IO'] as const,
  ),
  ['a file that is not there', () => createReadStream('/nonexistent/archive.tar'), 'ERR_STORAGE_IO'],
  ['a stream that was destroyed before', () => new PassThrough().destroy(), 'ERR_STORAGE_IO'],
  [
    'a stream that failed before',
    () => new PassThrough().destroy(new Error('x')).on('error', () => {}),
    'ERR_STORAGE_IO',
  ],
  ['an iterable without iterator', () => odd({ [Symbol.asyncIterator]: () => undefined }), 'ERR_STORAGE_IO'],
  [
    'an iterable whose step is nothing',
    () => odd({ [Symbol.asyncIterator]: () => ({ next: () => undefined }) }),
    'ERR_STORAGE_IO',
  ],
  [
    'a promise for ever rejected',
    () => odd({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject() }) }),
    'ERR_STORAGE_IO',
  ],
  ['a locked web stream', () => locked(), 'ERR_STORAGE_IO'],
  [
    'a web stream that fails',
    () => odd(new ReadableStream({ pull: (given) => given.error(undefined) })),
    'ERR_STORAGE_IO',
  ],
  ['nothing', () => Readable.from([]), 'ERR_ARCHIVE_FORMAT'],
  ['empty chunks only', () => Readable.from([Buffer.alloc(0), Buffer.alloc(0)]), 'ERR_ARCHIVE_FORMAT'],
];

function locked(): LoadSource {
  const stream = new ReadableStream();
  stream.getReader();
  return odd(stream);
}

for (const [what, source, code] of SOURCES) {
  onEachStore(`a load of ${what} fails, and leaves nothing`, async (open) => {
    for (const threads of [false, true]) {
      const store = await open();
      await assert.rejects(loadImages(store, source(), { threads }), (error) => {
        assert.ok(error instanceof LadingError, String(error));
        assert.equal(error.code, code, error.message);
        return true;
      });
      assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
    }
    await assert.rejects(verifyArchive(source()), { code });
  });
}

test('takes bytes of any kind: chunks of one byte, empty ones, Uint8Arrays, web streams', async () => {
  const bytes = Uint8Array.from(archive);
  const web = new ReadableStream({
    start: (given) => {
      given.enqueue(bytes);
      given.close();
    },
  });
  const sources = [
    Readable.from([Buffer.alloc(0), bytes, new Uint8Array()]),
    Readable.from([archive], { objectMode: false }),
    new Blob([bytes]).stream(),
    web,
    chunksOf(archive.subarray(0), 1000),
  ];
  for (const source of sources) {
    const { images: loaded } = await loadImages(new MemoryStore(), odd(source));
    assert.equal(loaded.length, 1);
  }
});

const THROWN = [null, undefined, 0, 'text', Symbol('x'), new Error('x')];

onEachStore('a callback that throws, or rejects, ends the load before its names are visible', async (open) => {
  for (const thrown of THROWN) {
    const callbacks: readonly LoadOptions['onProgress'][] = [
      () => {
        throw thrown;
      },
      async () => await Promise.reject(thrown),
    ];
    for (const onProgress of callbacks) {
      const store = await open();
      await assert.rejects(
        loadImages(store, chunksOf(archive), { onProgress: onProgress ?? assert.fail() }),
        (error) => {
          assert.ok(error instanceof LadingError, String(error));
          assert.deepEqual(
            [error.code, error.details['option'], error.cause],
            ['ERR_OPTION_INVALID', 'onProgress', thrown],
          );
          return true;
        },
      );
      assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
    }
  }
});

test('passes on a LadingError of a callback as it is', async () => {
  const own = new LadingError('ERR_ABORTED', 'enough');
  const onProgress = (): never => {
    throw own;
  };
  await assert.rejects(loadImages(new MemoryStore(), chunksOf(archive), { onProgress }), (error) => error === own);
});

/** Sources that bring nothing more; only the signal ends their load. */
const SILENT: readonly (readonly [what: string, source: () => LoadSource])[] = [
  ['a stream', () => new PassThrough()],
  ['a generator', () => after(async () => await new Promise(() => {}))],
  ['an iterable without return', () => odd({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) })],
  ['a web stream', () => odd(new ReadableStream())],
];

for (const [what, source] of SILENT) {
  onEachStore(`an abort ends the load of ${what} that is silent`, async (open) => {
    for (const threads of [false, true]) {
      const store = await open();
      const aborting = new AbortController();
      const loading = loadImages(store, source(), { threads, signal: aborting.signal });
      setImmediate(() => setImmediate(() => aborting.abort()));
      await assert.rejects(loading, { code: 'ERR_ABORTED', name: 'AbortError' });
      assert.deepEqual((await stateOf(store)).images, []);
    }
  });
}

test('a load that does not begin lets go of the stream: signal aborted, store read-only', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'archive.tar');
  await writeFile(file, archive);
  const readOnly = await OciLayoutStore.open(path.join(folder, 'store'), { readOnly: true });
  const cases = [
    { store: new MemoryStore(), options: { signal: AbortSignal.abort() }, code: 'ERR_ABORTED' },
    { store: readOnly, options: {}, code: 'ERR_STORE_READONLY' },
  ];
  for (const { store, options, code } of cases) {
    const source = createReadStream(file);
    await assert.rejects(loadImages(store, source, options), { code });
    assert.equal(source.destroyed, true, code);
  }
  assert.deepEqual(await readdir(folder), ['archive.tar']);
});

test('an abort ends the load of a source that never waits and brings nothing', async () => {
  const sources = [
    async function* () {
      for (;;) yield Buffer.alloc(0);
    },
    () => odd({ [Symbol.asyncIterator]: () => ({ next: () => ({ value: Buffer.alloc(0) }) }) }),
  ];
  for (const source of sources) {
    const aborting = new AbortController();
    setImmediate(() => aborting.abort());
    await assert.rejects(loadImages(new MemoryStore(), source(), { signal: aborting.signal }), { code: 'ERR_ABORTED' });
  }
});

test('a source that may not be read is told as that', async () => {
  for (const code of ['EACCES', 'EPERM', 'EROFS']) {
    const failing = new Readable({
      read() {
        this.destroy(Object.assign(new Error(`${code}: refused`), { code }));
      },
    });
    const message = `cannot read the archive: ${code}: refused`;
    await assert.rejects(loadImages(new MemoryStore(), failing), { code: 'ERR_STORAGE_IO', message });
  }
});

test('an error of a source after an abort ends nothing else', async () => {
  for (const start of [Buffer.alloc(0), head]) {
    for (const threads of [false, true]) {
      const source = new PassThrough();
      if (start.length > 0) source.write(start);
      const aborting = new AbortController();
      const loading = loadImages(new MemoryStore(), source, { threads, signal: aborting.signal });
      setImmediate(() => {
        aborting.abort();
        source.destroy(new Error('the connection broke'));
      });
      await assert.rejects(loading, { code: 'ERR_ABORTED' });
    }
  }
});
