import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import * as lading from '../../src/index.js';
import * as server from '../../src/server/index.js';
import * as stages from '../../src/stages/index.js';
import * as stores from '../../src/stores/index.js';
import { temporaryFolder } from '../fixtures/stores.js';

/*
 * Users of JavaScript have no types. Whatever they pass to an exported function, a method or a constructor, the answer is
 * a result or a LadingError, and never a TypeError, an unhandled rejection or silence.
 */

const { DEFAULT_LIMITS, LadingError, MemoryStore } = lading;

/** A value that may be called or constructed with anything. */
type Anything = (...given: readonly unknown[]) => unknown;

interface Callable {
  readonly call: Anything;
  readonly valid: readonly unknown[];
}

const AMD64 = { os: 'linux', architecture: 'amd64' };
const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = { name: 'docker.io/library/a:1', digest: DIGEST };
const documentsOf = () => new stores.Documents(new MemoryStore(), { limits: DEFAULT_LIMITS });
const none = async function* (): AsyncGenerator<Buffer> {};

function of(call: unknown, ...valid: readonly unknown[]): Callable {
  return { call: call as Anything, valid };
}

function made(Made: unknown, ...valid: readonly unknown[]): Callable {
  const Constructor = Made as new (...given: readonly unknown[]) => unknown;
  return { call: (...given) => void new Constructor(...given), valid };
}

/** A call of each exported function and class with arguments of the right types. */
async function callables(folder: string): Promise<Readonly<Record<string, Callable>>> {
  const store = new MemoryStore();
  const platforms = new stages.PlatformSet<lading.ImageRecord>();
  const limits = DEFAULT_LIMITS;
  const session = await store.session();
  const select = {
    present: session,
    platforms,
    referrers: 'follow',
    limits,
    damage: 'later',
    passesAll: false,
    untilStored: async () => {},
  };
  return {
    removeImages: of(lading.removeImages, store, ['a'], {}),
    removePlatforms: of(lading.removePlatforms, store, 'a', [AMD64], {}),
    tagImage: of(lading.tagImage, store, 'a', 'b'),
    describeImages: of(lading.describeImages, store, ['a'], {}),
    manifestsFor: of(lading.manifestsFor, { manifests: [] }, AMD64),
    DescriptionCache: made(lading.DescriptionCache, 1),
    exportImages: of(lading.exportImages, store, ['a'], {}),
    writeArchive: of(
      lading.writeArchive,
      store,
      { size: 0, entries: [], images: [] },
      { fd: openSync(path.join(folder, 'out'), 'w') },
    ),
    planExport: of(lading.planExport, store, ['a'], {}),
    hostPlatform: of(lading.hostPlatform),
    inspectArchive: of(lading.inspectArchive, none(), {}),
    inspectImages: of(lading.inspectImages, store, 'a', {}),
    inspectionReportOf: of(lading.inspectionReportOf, [], []),
    inspectionPage: of(lading.inspectionPage, lading.inspectionReportOf([]), {}),
    storePage: of(lading.storePage, []),
    listArchive: of(lading.listArchive, none(), {}),
    listArchiveLayers: of(lading.listArchiveLayers, none(), {}),
    listLayers: of(lading.listLayers, store, {}),
    formatLayerList: of(lading.formatLayerList, []),
    parseLayerList: of(lading.parseLayerList, '', 'list'),
    listImages: of(lading.listImages, store, {}),
    loadImages: of(lading.loadImages, store, none(), {}),
    planUnpack: of(lading.planUnpack, store, 'a', {}),
    unpackImage: of(lading.unpackImage, store, 'a', path.join(folder, 'rootfs'), {}),
    flattenImage: of(lading.flattenImage, store, 'a', {}),
    verifyArchive: of(lading.verifyArchive, none(), {}),
    verifyImages: of(lading.verifyImages, store, ['a'], {}),
    verifyTrust: of(lading.verifyTrust, store, ['a'], { keys: [] }),
    parsePublicKey: of(lading.parsePublicKey, 'pem', 'a.pub'),
    signaturesIn: of(lading.signaturesIn, { layers: [] }, DIGEST),
    parsePolicy: of(lading.parsePolicy, Buffer.from('{}'), {}),
    quarantineDamaged: of(lading.quarantineDamaged, store, []),
    algorithmOf: of(lading.algorithmOf, DIGEST),
    digestOf: of(lading.digestOf, Buffer.from('a'), 'sha256'),
    parseDigest: of(lading.parseDigest, DIGEST),
    isDamage: of(lading.isDamage, new Error('a')),
    diffIdsOf: of(lading.diffIdsOf, {}),
    historyOf: of(lading.historyOf, {}),
    resolveRecords: of(lading.resolveRecords, [], 'a'),
    anyOf: of(lading.anyOf, [AMD64]),
    compatibleWith: of(lading.compatibleWith, AMD64),
    exactly: of(lading.exactly, AMD64),
    formatPlatform: of(lading.formatPlatform, AMD64),
    formatPlatformFull: of(lading.formatPlatformFull, AMD64),
    normalizePlatform: of(lading.normalizePlatform, AMD64),
    parsePlatform: of(lading.parsePlatform, 'linux/amd64', {}),
    parseReference: of(lading.parseReference, 'a'),
    labelOf: of(lading.labelOf, IMAGE),
    MemoryStore: made(MemoryStore, {}),
    OciLayoutStore: of(
      async (directory: string, options: object) => void (await stores.OciLayoutStore.open(directory, options)),
      folder,
    ),
    withReads: of(lading.withReads, store, (chunks: unknown) => chunks),
    contentKindOf: of(stores.contentKindOf, { mediaType: 'a' }),
    Documents: made(stores.Documents, store, { limits }),
    // It gives a stream that waits for its input.
    compress: of((options: stages.CompressOptions) => void stages.compress(options), { format: 'gzip', level: 6 }),
    Commit: made(stages.Commit, session, { probing: 'none', limits }),
    Decompress: made(stages.Decompress, limits),
    DedupeBlobs: made(stages.DedupeBlobs, limits),
    FilterPlatforms: made(stages.FilterPlatforms, { platforms }),
    ListBlobs: made(stages.ListBlobs, { documents: documentsOf(), platforms, foreignLayers: 'drop' }),
    SelectEntries: made(stages.SelectEntries, select),
    PlatformSet: made(stages.PlatformSet, [AMD64]),
    TarExtract: made(stages.TarExtract),
    TarGuard: made(stages.TarGuard, limits),
    TarPack: made(stages.TarPack),
    VerifyDigests: made(stages.VerifyDigests),
    WalkIndex: made(stages.WalkIndex, { documents: documentsOf() }),
    EngineServer: made(server.EngineServer, store, {}),
  };
}

/** Not called here: base classes, and functions for which JSON itself throws. */
const LEFT_OUT = ['Stage', 'LadingError', 'jsonLine', 'auditLine'];

const ODD: readonly unknown[] = [
  [undefined, null, Number.NaN, -1, 1.5, 42, 42n, true, '', 'x', '\0', Symbol('x')],
  [[], [null], [42], ['\0'], [[]], {}, { there_is_no_such: 1 }, Object.create(null), new Map(), new Date(0)],
  [() => {}, Promise.resolve(), Buffer.from('x'), new AbortController().signal],
].flat();

const UNREADABLE = {
  get limits(): never {
    throw new TypeError('there is no such thing');
  },
};

/** Waits for a result of any kind: a promise, or something to loop over. */
async function settled(result: unknown): Promise<void> {
  const value = await result;
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) {
    for await (const _ of value as AsyncIterable<unknown>);
  }
}

/** How a call ends: `ok`, or the code of the LadingError. Throws any other error. */
async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await settled(call());
    return 'ok';
  } catch (error) {
    if (error instanceof LadingError) return error.code;
    throw new Error(`not a LadingError: ${String(error)}`, { cause: error });
  }
}

test('has a call for everything that is exported', async (t) => {
  const names = [lading, stages, stores, server].flatMap((room) =>
    Object.entries(room).flatMap(([name, value]) => (typeof value === 'function' ? [name] : [])),
  );
  const known = [...Object.keys(await callables(await temporaryFolder(t))), ...LEFT_OUT];
  assert.deepEqual([...new Set(names)].toSorted(), known.toSorted());
});

test('answers anything in the place of each argument with a result or a LadingError', async (t) => {
  const folder = await temporaryFolder(t);
  for (const name of Object.keys(await callables(folder))) {
    for (const [at, odd] of ODD.entries()) {
      // A text is a path there, and a store would be made in the folder of the tests.
      if (name === 'OciLayoutStore' && odd === 'x') continue;
      const places = (await callables(folder))[name]?.valid.length ?? 0;
      for (let place = 0; place <= places; place += 1) {
        const { call, valid } = (await callables(folder))[name] ?? assert.fail();
        const given = Array.from({ length: Math.max(valid.length, place + 1) }, (_, i) =>
          i === place ? odd : valid[i],
        );
        await assert.doesNotReject(
          outcomeOf(() => call(...given)),
          `${name}, argument ${place + 1}, value ${at}`,
        );
      }
    }
  }
});

const SIGNAL_LIKE = { aborted: false };
const BAD_LIMITS = [Number.NaN, -1, 1.5, 1e300, '5', null];

/** Options that are wrong, with the name that the error must have. */
const WRONG: readonly (readonly [name: string, option: string, options: unknown])[] = [
  ...['loadImages', 'planExport', 'exportImages'].flatMap((name) => [
    [name, 'platforms', { platforms: 'linux/amd64' }] as const,
    [name, 'platforms[1]', { platforms: ['linux/amd64', 7] }] as const,
    [name, 'referrers', { referrers: 'x' }] as const,
    [name, 'missingPlatforms', { missingPlatforms: 'Fail' }] as const,
    [name, 'hostPlatform', { hostPlatform: 'linux/amd64' }] as const,
    [name, 'signal', { signal: SIGNAL_LIKE }] as const,
    [name, 'plattforms', { plattforms: [] }] as const,
    [name, 'options', null] as const,
    [name, 'options', new AbortController().signal] as const,
    [name, 'limits.maxEntry', { limits: { maxEntry: 1 } }] as const,
  ]),
  ['loadImages', 'limits', UNREADABLE],
  ['loadImages', 'onConflict', { onConflict: 'Fail' }],
  ['loadImages', 'strict', { strict: 'no' }],
  ['loadImages', 'threads', { threads: 2 }],
  ['loadImages', 'onProgress', { onProgress: true }],
  ['loadImages', 'verifyBase', { verifyBase: 1 }],
  ['planExport', 'index', { index: 'keep' }],
  ['planExport', 'excludeBlobs', { excludeBlobs: 'sha256:a' }],
  ['planExport', 'baseNames[0]', { baseNames: [1] }],
  ['listLayers', 'among', { among: 'a' }],
  ['listLayers', 'holdMs', { holdMs: -1 }],
  ['listArchiveLayers', 'images', { images: 'a' }],
  ['verifyArchive', 'bases', { bases: 'a.tar' }],
  ['verifyArchive', 'bases[0]', { bases: [{}] }],
  ['verifyImages', 'deep', { deep: 1 }],
  ['verifyArchive', 'strict', { strict: 'yes' }],
  ['removeImages', 'keepNames', { keepNames: 'x' }],
  ['removePlatforms', 'hostPlatform.os', { hostPlatform: { architecture: 'amd64' } }],
  ['describeImages', 'cache', { cache: {} }],
  ['parsePlatform', 'hostPlatform', { hostPlatform: 'linux' }],
  ['MemoryStore', 'maxBytes', { maxBytes: Number.NaN }],
  ['OciLayoutStore', 'readonly', { readonly: true }],
  ['OciLayoutStore', 'chunkBytes', { chunkBytes: 4096 }],
  ['EngineServer', 'maxTransfers', { maxTransfers: Number.NaN }],
  ['EngineServer', 'idleMs', { idleMs: 0 }],
  ['EngineServer', 'headersMs', { headersMs: '10s' }],
  ['EngineServer', 'ownNames', { ownNames: 'host' }],
  ['EngineServer', 'audit', { audit: {} }],
  ['EngineServer', 'port', { port: 2375 }],
  ...['loadImages', 'planExport', 'listImages', 'inspectImages', 'verifyImages', 'verifyArchive'].flatMap((name) =>
    BAD_LIMITS.map((maxEntries) => [name, 'limits.maxEntries', { limits: { maxEntries } }] as const),
  ),
  ['loadImages', 'limits.maxDocumentBytes', { limits: { maxDocumentBytes: 33 * 1024 * 1024 } }],
  ['loadImages', 'limits.maxJsonDepth', { limits: { maxJsonDepth: Number.POSITIVE_INFINITY } }],
];

test('names the option that is wrong', async (t) => {
  const folder = await temporaryFolder(t);
  for (const [name, option, options] of WRONG) {
    const { call, valid } = (await callables(folder))[name] ?? assert.fail(name);
    const last = typeof valid.at(-1) === 'string' ? valid : valid.slice(0, -1);
    await assert.rejects(
      async () => await settled(call(...last, options)),
      (error) => {
        assert.ok(error instanceof LadingError, String(error));
        assert.deepEqual([name, error.code, error.details['option']], [name, 'ERR_OPTION_INVALID', option]);
        assert.ok(error.message.includes(option.split('.').at(-1) ?? ''), error.message);
        return true;
      },
    );
  }
});

/** Positional arguments that are wrong, by the name that the error must have. */
const MISPLACED: readonly (readonly [name: string, option: string, given: readonly unknown[]])[] = [
  ['loadImages', 'destination', [{}, none()]],
  ['loadImages', 'destination', ['/var/lib/store', none()]],
  ['loadImages', 'source', [new MemoryStore(), 42]],
  ['loadImages', 'source', [new MemoryStore(), Buffer.from('x')]],
  ['loadImages', 'source', [new MemoryStore(), '']],
  ['planExport', 'names', [new MemoryStore(), 'a:1']],
  ['planExport', 'names[0]', [new MemoryStore(), [undefined]]],
  ['planExport', 'source', [undefined, ['a']]],
  ['exportImages', 'wanted', [new MemoryStore(), 'a:1']],
  ['removeImages', 'texts', [new MemoryStore(), 'a:1']],
  ['verifyImages', 'names', [new MemoryStore(), 'a:1']],
  ['tagImage', 'name', [new MemoryStore(), 'a:1']],
  ['OciLayoutStore', 'directory', [7]],
  ['EngineServer', 'store', [{}]],
  ['digestOf', 'bytes', [7]],
  ['Decompress', 'limits', []],
  ['TarGuard', 'limits.maxDocumentBytes', [{}]],
  ['DedupeBlobs', 'limits.maxEntries', [{ ...DEFAULT_LIMITS, maxEntries: Number.NaN }]],
];

test('names the argument that is wrong', async (t) => {
  const all = await callables(await temporaryFolder(t));
  for (const [name, option, given] of MISPLACED) {
    await assert.rejects(
      async () => await settled(all[name]?.call(...given)),
      (error) => {
        assert.ok(error instanceof LadingError, `${name}: ${String(error)}`);
        assert.deepEqual([name, error.code, error.details['option']], [name, 'ERR_OPTION_INVALID', option]);
        return true;
      },
    );
  }
});

test('takes undefined as an option that is left out', async () => {
  const store = new MemoryStore();
  const limits = { maxEntries: undefined, maxDocumentBytes: undefined };
  const options = { platforms: undefined, limits, signal: undefined, onProgress: undefined };
  const load = lading.loadImages as unknown as Anything;
  await assert.rejects(load(store, Readable.from([Buffer.alloc(1024)]), options) as Promise<unknown>, {
    code: 'ERR_ARCHIVE_FORMAT',
  });
  const made = new server.EngineServer(store, { maxTransfers: undefined } as unknown as server.ServerOptions);
  await made.stop({ graceMs: 0 });
});

const ADDRESSES: readonly unknown[] = [
  [undefined, null, 'unix:///tmp/x', {}, { kind: 'pipe' }, { kind: 'unix' }, { kind: 'unix', path: 7 }],
  [
    { kind: 'tcp', host: 'localhost' },
    { kind: 'tcp', host: 'localhost', port: 70_000 },
    { kind: 'fd', fd: -1 },
  ],
  [
    { kind: 'tcp', host: 'localhost', port: 0, tls: { ca: 1 } },
    { kind: 'unix', path: '/tmp/x', mode: 'rw' },
  ],
].flat();

test('the server refuses a wrong address and a wrong grace time', async () => {
  const made = new server.EngineServer(new MemoryStore());
  for (const address of ADDRESSES)
    await assert.rejects(made.listen(address as server.ListenAddress), { code: 'ERR_OPTION_INVALID' });
  for (const options of [null, { graceMs: Number.NaN }, { graceMs: -1 }, { grace: 1 }])
    await assert.rejects(made.stop(options as unknown as { graceMs: number }), { code: 'ERR_OPTION_INVALID' });
  await made.stop();
});

test('the methods of both stores refuse what is no name, no digest and no time', async (t) => {
  const both = [new MemoryStore(), await stores.OciLayoutStore.open(await temporaryFolder(t))];
  for (const store of both) {
    const odd = store as unknown as Readonly<Record<string, Anything>>;
    const calls: readonly (readonly [method: string, argument: unknown])[] = [
      ...[
        undefined,
        {},
        { now: Number.NaN, graceMs: 0 },
        { now: 0, graceMs: -1 },
        { now: 0, graceMs: 0, dry: true },
      ].map((options) => ['prune', options] as const),
      ...[undefined, 'a', [7]].flatMap((texts) => [['resolve', texts] as const, ['holders', texts] as const]),
    ];
    for (const [method, argument] of calls)
      await assert.rejects(
        async () => await odd[method]?.call(store, argument),
        { code: 'ERR_OPTION_INVALID' },
        method,
      );
    for (const digest of [undefined, 7, '../../etc/passwd', 'sha256:x'])
      await assert.rejects(async () => await odd['quarantine']?.call(store, digest), { category: 'invalid-argument' });
  }
});

test('both stores publish nothing but records', async (t) => {
  const descriptor = { mediaType: 'application/x', digest: DIGEST, size: 1 };
  const wrong = [null, {}, 'x', [null], [{}], [{ name: 7, descriptor }], [{ descriptor: { ...descriptor, size: -1 } }]];
  for (const store of [new MemoryStore(), await stores.OciLayoutStore.open(await temporaryFolder(t))]) {
    for (const records of [...wrong, Promise.resolve([])]) {
      const session = await store.session();
      const publishing = session.publish(() => records as readonly lading.ImageRecord[]);
      await assert.rejects(publishing, { code: 'ERR_OPTION_INVALID' });
      await session.end();
    }
    assert.deepEqual(await store.list(), []);
  }
});

test('refuses a plan that was written as JSON, and one that is made up', async () => {
  const plan = { size: 1, entries: [{ name: 'x', type: 'file', size: 1, content: { bytes: { type: 'Buffer' } } }] };
  const exported = lading.exportImages as unknown as (...given: readonly unknown[]) => AsyncIterable<unknown>;
  for (const wanted of [plan, { size: 1, entries: [{}] }, { size: 1, entries: [{ ...plan.entries[0], content: 7 }] }])
    await assert.rejects(async () => await settled(exported(new MemoryStore(), wanted)), {
      code: 'ERR_OPTION_INVALID',
    });
});
