import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import { Stage } from '../../src/flow/stage.js';
import { atRest, runStage, sinkOf, stageSuite } from '../suites/stage-suite.js';

/** Emits each number that many times, and all numbers that it saw at the end. */
class Repeat extends Stage<number, number> {
  open = 0;
  #seen = 0;

  protected override async *each(times: number): AsyncGenerator<number> {
    this.open += 1;
    try {
      for (let at = 0; at < times; at += 1) yield times;
    } finally {
      this.open -= 1;
      this.#seen += times;
    }
  }

  protected override *atEnd(): Generator<number> {
    yield -this.#seen;
  }
}

class Doubled extends Stage<number, number> {
  protected override *each(value: number): Generator<number> {
    yield value;
    yield value;
  }
}

class Failing extends Stage<number, number> {
  readonly #atEnd: boolean;

  constructor(atEnd: boolean) {
    super();
    this.#atEnd = atEnd;
  }

  protected override async *each(value: number): AsyncGenerator<number> {
    yield value;
    if (!this.#atEnd) throw new Error('each');
  }

  protected override async *atEnd(): AsyncGenerator<number> {
    yield 1;
    throw new Error('atEnd');
  }
}

function* ones(): Generator<number> {
  for (;;) yield 1;
}

stageSuite('a stage', {
  make: () => new Doubled(),
  inputs: () => Array.from({ length: 200 }, () => 1),
  maxAhead: 40,
});

describe('a stage', () => {
  it('emits what its generator yields, in order, then the output at the end', async () => {
    assert.deepEqual(await runStage([2, 0, 3], new Repeat()), [2, 2, 3, 3, 3, -5]);
  });

  it('emits the output at the end also without input', async () => {
    assert.deepEqual(await runStage([], new Repeat()), [-0]);
  });

  it('holds 16 outputs of one record if nothing is read', async () => {
    const stage = new Repeat();
    stage.write(1000);
    await atRest(() => stage.readableLength);
    assert.equal(stage.readableLength, 16);
    stage.destroy();
    await stage.settled();
    assert.equal(stage.open, 0);
  });

  it('emits all outputs of a long record to a slow reader', async () => {
    const outputs: number[] = [];
    const slow = sinkOf<number>(async (output) => {
      await atRest(() => 0);
      outputs.push(output);
    });
    await pipeline([40], new Repeat(), slow);
    assert.equal(outputs.length, 41);
  });

  for (const at of ['each', 'atEnd']) {
    it(`is destroyed with what its ${at} throws`, async () => {
      const stage = new Failing(at === 'atEnd');
      await assert.rejects(
        pipeline(
          [1],
          stage,
          sinkOf(async () => {}),
        ),
        { message: at },
      );
      assert.equal(stage.destroyed, true);
    });
  }

  it('returns its generator when it is destroyed, so that finally blocks run', async () => {
    const stage = new Repeat();
    const running = pipeline(
      Readable.from(ones()),
      stage,
      sinkOf(async () => {}),
    ).catch(() => {});
    stage.destroy();
    await running;
    await stage.settled();
    assert.equal(stage.open, 0);
  });

  it('is settled at once if it never had any work', async () => {
    await new Repeat().settled();
  });
});
