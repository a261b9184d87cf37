import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { exitStatusOf } from '../../src/cli/exit-status.js';
import { closureOf } from '../../src/content/closure.js';
import { Documents } from '../../src/content/documents.js';
import { loadImages, type LoadOptions } from '../../src/load/load-images.js';
import { LadingError, type ErrorCode } from '../../src/model/errors.js';
import { failureOf } from '../../src/server/statuses.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { startEngine, type Answer, type Engine } from '../fixtures/engine.js';
import { example, sorted } from '../fixtures/example.js';
import { IS_ALL } from '../fixtures/extent.js';
import { codesOf, load, loadLayout } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import { stateOf, temporaryFolder } from '../fixtures/stores.js';
import { unitsOf } from '../fixtures/work.js';
import { formsOf, type Accepted, type Archive, type CorpusCase } from './corpus.js';
import { assertPrintable, openArchive, runOn, treeOf, upload, type Run } from './faces.js';

/**
 * The most units of work that a refusal may take. The largest cases take up to 200; if the work grew with the square of
 * their 200 000 entries, it would take thousands. test/sweeps/linear-work.test.ts judges the growth more closely.
 */
const MAX_UNITS = 800;

/** Peak memory of the command, in bytes. */
const MAX_RESIDENT_BYTES = 192 * 1024 * 1024;

/** Bytes that may be written beyond those received: the store's own small files. */
const MAX_EXTRA_BYTES = 1024 * 1024;

/** Also a line of the lease for each digest that is looked up, at most half as long as its descriptor. */
const LEASE_SHARE = 0.5;

/** Unpacked bytes that a packed archive may have before its ratio is checked. They may be written too. */
const RATIO_GRACE_BYTES = 64 * 1024 * 1024;

const GZIP = Buffer.from([0x1f, 0x8b]);

/** A store of each kind, with one image in it unless made empty. */
interface Stand {
  readonly memory: MemoryStore;
  readonly layout: OciLayoutStore;
  /** A server over the layout store; in `npm test` there is none. */
  readonly engine?: Engine;
}

/**
 * Runs every case of a family through the library into both kinds of store. `npm run test:all` also runs every form of
 * the archive, the command and the server. An uncaught error fails the test by itself. `count` makes sure that no case
 * is lost.
 */
export function runFamily(family: string, cases: readonly CorpusCase[], count: number): void {
  test(`corpus of ${family}`, async (t) => {
    const stand = await standOf(t);
    await t.test(`has ${count} cases, each of them once`, () => {
      assert.equal(new Set(cases.map(([what]) => what)).size, cases.length);
      assert.equal(cases.length, count);
    });
    for (const [what, verdict, make, { isLarge = false, ...options } = {}] of cases) {
      if (isLarge && !IS_ALL) {
        t.diagnostic(`left to npm run test:all: ${what}`);
        continue;
      }
      const outcome = typeof verdict === 'string' ? `refuses with ${verdict}` : 'accepts';
      await t.test(`${outcome}: ${what}`, async (one) => {
        const all = await formsOf(await make());
        const forms = IS_ALL ? all : new Map([...all].slice(0, 1));
        if (typeof verdict === 'string') await assertRefused(one, stand, forms, verdict, options);
        else await assertAccepted(one, forms, verdict, options);
      });
    }
  });
}

async function standOf(t: TestContext, { isEmpty = false } = {}): Promise<Stand> {
  const memory = new MemoryStore();
  const layout = await OciLayoutStore.open(await temporaryFolder(t));
  const good = example({ seed: 'good', platforms: ['linux/amd64'], layers: 1 });
  if (!isEmpty)
    for (const store of [memory, layout])
      await loadLayout(store, [{ root: good.root, name: 'docker.io/library/good:1' }], good.blobs);
  return { memory, layout, ...(IS_ALL && { engine: await startEngine(t, { store: layout }) }) };
}

async function assertRefused(
  t: TestContext,
  { memory, layout, engine }: Stand,
  forms: ReadonlyMap<string, Archive>,
  code: ErrorCode,
  options: LoadOptions,
): Promise<void> {
  const before = { memory: await stateOf(memory), layout: await treeOf(layout.directory) };
  const isAsBefore = async (what: string, { isPipe = true } = {}): Promise<void> => {
    // A pipe that ends too early leaves its whole blobs, without a name, until the resume time is over.
    if (isPipe && code === 'ERR_ARCHIVE_TRUNCATED') {
      const late = { now: Date.now() + 1000, graceMs: 0, resumeMs: 0 };
      for (const store of [memory, layout]) await store.prune(late);
    }
    assert.deepEqual(await stateOf(memory), before.memory, what);
    assert.deepEqual(await treeOf(layout.directory), before.layout, what);
  };
  for (const [form, archive] of forms) {
    for (const store of [memory, layout]) assert.equal(await refusalOf(store, archive, options), code, form);
    await isAsBefore(form);
  }
  const [archive] = forms.values();
  if (engine === undefined || archive === undefined) return;
  assertRunRefused(await runOn(t, archive, commandLine(layout.directory, options)), archive, code);
  await isAsBefore('by the command', { isPipe: !Buffer.isBuffer(archive) });
  if (options.strict) return;
  assertAnswerRefused(await upload(engine, archive, 'quiet=1'), code);
  await isAsBefore('by the server');
  assertAnswerRefused(await upload(engine, archive, 'quiet=0'), code);
  await isAsBefore('by the server, with progress');
}

/** The code of the library's refusal. Fails if it took too much work. */
async function refusalOf(store: Store, archive: Archive, options: LoadOptions): Promise<string> {
  const source = openArchive(archive);
  const { result: error, units } = await unitsOf(
    async () =>
      await loadImages(store, source, { hostPlatform: HOST, ...options }).then(
        () => undefined,
        (reason: unknown) => reason,
      ),
  );
  assert.ok(units < MAX_UNITS, `took ${units} units of work`);
  if (error === undefined) return 'loaded';
  // Any other error is a bug; its stack shows where.
  if (!(error instanceof LadingError)) throw error;
  return error.code;
}

function commandLine(store: string, { strict }: LoadOptions): (input: string) => readonly string[] {
  return (input) => ['load', '-i', input, '--store', store, ...(strict ? ['--strict'] : [])];
}

function assertRunRefused(run: Run, archive: Archive, code: ErrorCode): void {
  assert.match(run.stderr, new RegExp(`\\[${code}\\]\n$`));
  assert.equal(run.status, exitStatusOf(new LadingError(code, '')), run.stderr);
  assert.equal(run.stdout, '');
  assertPrintable(run.stderr);
  assert.ok(run.units < MAX_UNITS, `took ${run.units} units of work`);
  assertCost(run, archive);
}

/** For a stream the bytes received are not known: the command may have stopped early. Then a fixed bound is used. */
function assertCost({ peakBytes, writtenBytes }: Run, archive: Archive): void {
  assert.ok(peakBytes <= MAX_RESIDENT_BYTES, `${peakBytes} bytes resident`);
  const isPacked = !Buffer.isBuffer(archive) || archive.subarray(0, 2).equals(GZIP);
  const received = isPacked ? RATIO_GRACE_BYTES : archive.length;
  assert.ok(writtenBytes <= received * (1 + LEASE_SHARE) + MAX_EXTRA_BYTES, `${writtenBytes} bytes written`);
}

/** The status shows the refusal, or, if output had started, an error line. Its text must be printable too. */
function assertAnswerRefused(answer: Answer, code: ErrorCode): void {
  const { status } = failureOf(new LadingError(code, ''));
  if (answer.status === status) {
    assertPrintable((answer.json() as { readonly message: string }).message);
    return;
  }
  assert.equal(answer.status, 200, answer.text);
  const { error, errorDetail } = answer.lines().at(-1) as { error: string; errorDetail: { message: string } };
  assert.equal(error, errorDetail.message);
  assertPrintable(error);
}

async function assertAccepted(
  t: TestContext,
  forms: ReadonlyMap<string, Archive>,
  { names, warnings }: Accepted,
  options: LoadOptions,
): Promise<void> {
  const states = new Map<string, Awaited<ReturnType<typeof stateOf>>>();
  for (const [form, archive] of forms) {
    const directory = await temporaryFolder(t);
    for (const store of [new MemoryStore(), await OciLayoutStore.open(directory)]) {
      const report = await load(store, openArchive(archive), options);
      assert.deepEqual(codesOf(report.warnings), warnings, form);
      states.set(`${form} ${store.constructor.name}`, await stateOf(store));
      await assertNothingElse(store);
    }
  }
  if (IS_ALL) await acceptByFaces(t, forms, warnings, options, states);
  const [first, ...others] = [...states.values()];
  assert.ok(first);
  for (const other of others) assert.deepEqual(other, first);
  assert.deepEqual(first.images.map(({ name = '' }) => name).toSorted(), names);
}

/** Loads the archive by the command and by the server, and adds the state of each store. */
async function acceptByFaces(
  t: TestContext,
  forms: ReadonlyMap<string, Archive>,
  warnings: Accepted['warnings'],
  options: LoadOptions,
  states: Map<string, Awaited<ReturnType<typeof stateOf>>>,
): Promise<void> {
  const [archive] = forms.values();
  assert.ok(archive);
  const { layout } = await standOf(t, { isEmpty: true });
  const run = await runOn(t, archive, commandLine(layout.directory, options));
  assert.equal(run.status, 0, run.stderr);
  assertPrintable(run.stderr + run.stdout);
  assert.equal(run.stderr.split('\n').length - 1, warnings.length, run.stderr);
  assertCost(run, archive);
  states.set('command', withoutTimes(await stateOf(layout)));
  const { engine, layout: served } = await standOf(t, { isEmpty: true });
  assert.ok(engine);
  const answer = await upload(engine, archive, 'quiet=1');
  assert.equal(answer.status, 200, answer.text);
  states.set('server', await stateOf(served));
}

/** Only the command has a clock: it records when a name came. */
function withoutTimes({ images, blobs }: Awaited<ReturnType<typeof stateOf>>): Awaited<ReturnType<typeof stateOf>> {
  const timeless = images.map((record) => {
    const { stored: _, ...rest } = record;
    return rest;
  });
  return { images: timeless, blobs };
}

/** Every blob in the store is needed by an image. */
async function assertNothingElse(store: Store): Promise<void> {
  const { images, blobs } = await stateOf(store);
  const needed = await closureOf(
    Documents.stored(store),
    images.map(({ descriptor }) => descriptor),
  );
  assert.deepEqual(
    blobs.filter((digest) => !needed.has(digest)),
    sorted(),
  );
}
