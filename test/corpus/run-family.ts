import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { exitStatusOf } from '../../src/cli/exit-status.js';
import { loadImages, type LoadOptions } from '../../src/load/load-images.js';
import { LadingError, type ErrorCode } from '../../src/model/errors.js';
import { failureOf } from '../../src/server/statuses.js';
import { Documents } from '../../src/content/documents.js';
import { closureOf } from '../../src/content/closure.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import type { Store } from '../../src/stores/store.js';
import { startEngine, type Answer, type Engine } from '../fixtures/engine.js';
import { codesOf, example, load, loadLayout, sorted, stateOf, temporaryFolder } from '../fixtures/load-helpers.js';
import { HOST } from '../fixtures/saved-archive.js';
import { formsOf, type Accepted, type Archive, type CorpusCase } from './corpus.js';
import { assertPrintable, openArchive, runOn, treeOf, upload, type Run } from './faces.js';

/** No refusal may take longer, in milliseconds: of processor time where the machine is busy with other things. */
const MAX_MS = 5000;

/** What nothing at all may take. */
const HANG_MS = 60_000;

/** Peak memory of the command, in bytes. */
const MAX_RESIDENT_BYTES = 192 * 1024 * 1024;

/** What may be written beyond what was received: the store's own small files. */
const MAX_EXTRA_BYTES = 1024 * 1024;

/** And a line of the lease for each digest that is looked up, which is at most half as long as its descriptor. */
const LEASE_SHARE = 0.5;

/** Unpacked bytes before the ratio to the packed ones counts: of a packed archive these may be written too. */
const RATIO_GRACE_BYTES = 64 * 1024 * 1024;

const GZIP = Buffer.from([0x1f, 0x8b]);

/** A folder that holds one image already, and everything that can load into it. */
interface Stand {
  readonly memory: MemoryStore;
  readonly engine: Engine;
}

/**
 * Runs every case of a family: through the library into both kinds of store in every form of the archive, through the command
 * and through the server. Errors that nobody caught fail the test by themselves. `count` is there so that no case gets lost.
 */
export function runFamily(family: string, cases: readonly CorpusCase[], count: number): void {
  test(`corpus of ${family}`, async (t) => {
    const stand = await standOf(t);
    await t.test(`has ${count} cases, each of them once`, () => {
      assert.equal(new Set(cases.map(([what]) => what)).size, cases.length);
      assert.equal(cases.length, count);
    });
    for (const [what, verdict, make, options = {}] of cases) {
      const outcome = typeof verdict === 'string' ? `refuses with ${verdict}` : 'accepts';
      await t.test(`${outcome}: ${what}`, { timeout: HANG_MS }, async (one) => {
        const forms = await formsOf(await make());
        if (typeof verdict === 'string') await assertRefused(one, stand, forms, verdict, options);
        else await assertAccepted(one, forms, verdict, options);
      });
    }
  });
}

async function standOf(t: TestContext, { isEmpty = false } = {}): Promise<Stand> {
  const memory = new MemoryStore();
  const engine = await startEngine(t);
  const good = example({ seed: 'good', platforms: ['linux/amd64'], layers: 1 });
  if (!isEmpty)
    for (const store of [memory, engine.store])
      await loadLayout(store, [{ root: good.root, name: 'docker.io/library/good:1' }], good.blobs);
  return { memory, engine };
}

async function assertRefused(
  t: TestContext,
  { memory, engine }: Stand,
  forms: ReadonlyMap<string, Archive>,
  code: ErrorCode,
  options: LoadOptions,
): Promise<void> {
  const before = { memory: await stateOf(memory), layout: await treeOf(engine.folder) };
  const isAsBefore = async (what: string): Promise<void> => {
    assert.deepEqual(await stateOf(memory), before.memory, what);
    assert.deepEqual(await treeOf(engine.folder), before.layout, what);
  };
  for (const [form, archive] of forms) {
    for (const store of [memory, engine.store]) {
      assert.equal(await refusalOf(store, archive, options), code, form);
      await isAsBefore(form);
    }
  }
  for (const archive of [...forms.values()].slice(0, 1)) {
    assertRunRefused(await runOn(t, archive, commandLine(engine.folder, options)), archive, code);
    await isAsBefore('by the command');
    if (options.strict) continue;
    assertAnswerRefused(await upload(engine, archive, 'quiet=1'), code);
    await isAsBefore('by the server');
    assertAnswerRefused(await upload(engine, archive, 'quiet=0'), code);
    await isAsBefore('by the server, with progress');
  }
}

/** The code with which the library refuses, within the time. */
async function refusalOf(store: Store, archive: Archive, options: LoadOptions): Promise<string> {
  const started = { wall: performance.now(), cpu: process.cpuUsage() };
  const source = openArchive(archive);
  const error: unknown = await loadImages(store, source, { hostPlatform: HOST, ...options }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { user, system } = process.cpuUsage(started.cpu);
  const ms = Math.min(performance.now() - started.wall, (user + system) / 1000);
  assert.ok(ms < MAX_MS, `took ${ms} ms`);
  if (error === undefined) return 'loaded';
  // Anything else is a defect, with a stack that says where.
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
  assert.ok(run.ms < MAX_MS, `took ${run.ms} ms`);
  assertCost(run, archive);
}

/** A stream is longer than what the command took of it, so that only an archive in memory says what was received. */
function assertCost({ peakBytes, writtenBytes }: Run, archive: Archive): void {
  assert.ok(peakBytes <= MAX_RESIDENT_BYTES, `${peakBytes} bytes resident`);
  const isPacked = !Buffer.isBuffer(archive) || archive.subarray(0, 2).equals(GZIP);
  const received = isPacked ? RATIO_GRACE_BYTES : archive.length;
  assert.ok(writtenBytes <= received * (1 + LEASE_SHARE) + MAX_EXTRA_BYTES, `${writtenBytes} bytes written`);
}

/** The status says it, or where output had started an error line, in which nothing is raw either. */
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
  for (const archive of [...forms.values()].slice(0, 1)) {
    const { engine } = await standOf(t, { isEmpty: true });
    const run = await runOn(t, archive, commandLine(engine.folder, options));
    assert.equal(run.status, 0, run.stderr);
    assertPrintable(run.stderr + run.stdout);
    assert.equal(run.stderr.split('\n').length - 1, warnings.length, run.stderr);
    assertCost(run, archive);
    states.set('command', await stateOf(engine.store));
    const server = await standOf(t, { isEmpty: true });
    const answer = await upload(server.engine, archive, 'quiet=1');
    assert.equal(answer.status, 200, answer.text);
    states.set('server', await stateOf(server.engine.store));
  }
  const [first, ...others] = [...states.values()];
  assert.ok(first);
  for (const other of others) assert.deepEqual(other, first);
  assert.deepEqual(first.images.map(({ name = '' }) => name).toSorted(), names);
}

/** Nothing is in the store but what its images need. */
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
