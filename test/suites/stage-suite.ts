import assert from 'node:assert/strict';
import { Readable, Writable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';

/** A stage, its input, and how it must behave. */
export interface StageCase<In, Out> {
  readonly make: () => Duplex;
  /** Good input, enough for more output than the stage may hold. */
  readonly inputs: () => Iterable<In> | AsyncIterable<In>;
  /** Reads an output to its end; for outputs that own a body. */
  readonly read?: (output: Out) => Promise<void>;
  /** How many inputs the stage may take while its output is not read. */
  readonly maxAhead: number;
  /** The error code for an empty input, if the stage refuses it. */
  readonly refusesEmpty?: string;
  /** How many outputs an empty input has; 0 by default. */
  readonly emptyOutputs?: number;
  /** How many bodies are open; 0 once the pipeline is over. */
  readonly openBodies?: () => number;
}

/** The behaviour of every stage in a pipeline: it waits for a slow reader, and ends when a neighbour ends or fails. */
export function stageSuite<In, Out>(name: string, stage: StageCase<In, Out>): void {
  describe(`${name} in a pipeline`, () => {
    it('passes everything on', async () => {
      const source = new Source(stage.inputs());
      let outputs = 0;
      await pipeline(
        source.records(),
        stage.make(),
        sinkOf<Out>(async (output) => {
          outputs += 1;
          await stage.read?.(output);
        }),
      );
      assert.equal(source.isClosed, true);
      assert.ok(outputs > 0);
      assertNoBodies(stage);
    });

    it(stage.refusesEmpty === undefined ? 'ends at once without input' : 'refuses an empty input', async () => {
      const outputs: Out[] = [];
      const empty = pipeline(
        new Source<In>([]).records(),
        stage.make(),
        sinkOf<Out>(async (output) => void outputs.push(output)),
      );
      if (stage.refusesEmpty === undefined) await empty;
      else await assert.rejects(empty, { code: stage.refusesEmpty });
      assert.equal(outputs.length, stage.emptyOutputs ?? 0);
    });

    it(`takes at most ${stage.maxAhead} inputs while its output is not read`, async () => {
      const source = new Source(stage.inputs());
      const made = stage.make();
      const running = pipeline(source.records(), made).catch((error: unknown) => error);
      await atRest(() => source.taken);
      assert.ok(source.taken > 0 && source.taken <= stage.maxAhead, `${source.taken} were taken`);
      assert.equal(source.isClosed, false, 'the input was too short for this test');
      made.destroy();
      await running;
      await atRest(() => stage.openBodies?.() ?? 0);
      assertNoBodies(stage);
    });

    it('ends with the error of the stage before it', async () => {
      const failure = new Error('before');
      const source = new Source(stage.inputs(), { failAfter: 1, failure });
      const made = stage.make();
      await assert.rejects(pipeline(source.records(), made, readerOf(stage)), failure);
      await assertOver(stage, source, made);
    });

    it('ends with the error of the stage after it', async () => {
      const failure = new Error('after');
      const source = new Source(stage.inputs());
      const made = stage.make();
      const failing = sinkOf<Out>(async () => {
        throw failure;
      });
      await assert.rejects(pipeline(source.records(), made, failing), failure);
      await assertOver(stage, source, made);
    });

    it('ends when its reader closes in the middle', async () => {
      const source = new Source(stage.inputs());
      const made = stage.make();
      const sink = sinkOf<Out>(async () => void sink.destroy());
      await assert.rejects(pipeline(source.records(), made, sink), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
      await assertOver(stage, source, made);
    });

    it('ends when it is aborted', async () => {
      const source = new Source(stage.inputs());
      const made = stage.make();
      const controller = new AbortController();
      const aborting = sinkOf<Out>(async () => controller.abort());
      const running = pipeline(source.records(), made, aborting, { signal: controller.signal });
      await assert.rejects(running, { name: 'AbortError' });
      await assertOver(stage, source, made);
    });
  });
}

/** Waits until a number stays the same for a hundred turns of the event loop. */
export async function atRest(value: () => number): Promise<void> {
  for (let still = 0, last = value(); still < 100; still += 1) {
    await setImmediate();
    if (value() !== last) still = 0;
    last = value();
  }
}

/** A Writable that takes records one at a time. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the type
export function sinkOf<Out>(take: (output: Out) => Promise<void>): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write: (output: Out, _encoding, callback) => void take(output).then(() => callback(), callback),
  });
}

/** Runs inputs through the stages and returns all outputs. */
export async function runStage<Out>(
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  ...stages: readonly Duplex[]
): Promise<readonly Out[]> {
  const outputs: Out[] = [];
  const source = Readable.from(new Source(inputs).records(), { objectMode: true });
  await pipeline([source, ...stages, sinkOf<Out>(async (output) => void outputs.push(output))]);
  return outputs;
}

function readerOf<Out>(stage: StageCase<never, Out> | StageCase<unknown, Out>): Writable {
  return sinkOf<Out>(async (output) => await stage.read?.(output));
}

async function assertOver<In, Out>(stage: StageCase<In, Out>, source: Source<In>, made: Duplex): Promise<void> {
  await atRest(() => stage.openBodies?.() ?? 0);
  assert.equal(made.destroyed, true);
  assert.equal(source.isClosed, true, 'the source was not closed');
  assertNoBodies(stage);
}

function assertNoBodies<In, Out>({ openBodies }: StageCase<In, Out>): void {
  if (openBodies !== undefined) assert.equal(openBodies(), 0, 'bodies are still open');
}

/** Counts the records that were taken, and notes when their iterator is closed. */
class Source<Record> {
  taken = 0;
  isClosed = false;
  readonly #inputs: Iterable<Record> | AsyncIterable<Record>;
  readonly #failure: { failAfter: number; failure: Error } | undefined;

  constructor(inputs: Iterable<Record> | AsyncIterable<Record>, failure?: { failAfter: number; failure: Error }) {
    this.#inputs = inputs;
    this.#failure = failure;
  }

  async *records(): AsyncGenerator<Record> {
    try {
      for await (const record of this.#inputs) {
        if (this.#failure !== undefined && this.taken >= this.#failure.failAfter) throw this.#failure.failure;
        this.taken += 1;
        yield record;
      }
    } finally {
      this.isClosed = true;
    }
  }
}
