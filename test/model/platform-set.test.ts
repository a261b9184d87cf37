import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import { PlatformSet, type PlatformOutcome } from '../../src/model/platform-set.js';
import { formatPlatform, parsePlatform } from '../../src/model/platform.js';

function setOf(...texts: readonly string[]): PlatformSet<object> {
  return new PlatformSet(texts.map((text) => parsePlatform(text)));
}

function outcome(text: string, state: PlatformOutcome['state'], content = text): PlatformOutcome {
  const digest = digestOf(content);
  return { platform: parsePlatform(text), digest, state, ...(state === 'missing' && { missing: digest }) };
}

const IMAGE = {};

describe('a request', () => {
  it('without platforms wants everything', () => {
    const set = setOf();
    assert.equal(set.wantsAll, true);
    assert.deepEqual([set.wants(parsePlatform('linux/s390x')), set.wants(undefined)], [true, true]);
    assert.deepEqual(set.unmetOf(IMAGE), []);
  });

  it('is kept in normal form, in its order, without repeats', () => {
    const { requested } = setOf('linux/arm64', 'linux/amd64', 'linux/arm64/v8', 'linux/aarch64', 'linux/x86_64');
    assert.deepEqual(requested.map(formatPlatform), ['linux/arm64', 'linux/amd64']);
  });

  const wanted: readonly (readonly [request: string, candidate: string, isWanted: boolean])[] = [
    ['linux/amd64', 'linux/amd64', true],
    ['linux/amd64', 'linux/386', false],
    ['linux/arm', 'linux/arm/v7', true],
    ['linux/arm/v7', 'linux/arm/v6', false],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/amd64', 'windows/amd64', false],
  ];
  for (const [request, candidate, isWanted] of wanted) {
    it(`for ${request} ${isWanted ? 'wants' : 'does not want'} ${candidate}`, () => {
      assert.equal(setOf(request).wants(parsePlatform(candidate)), isWanted);
    });
  }

  it('for a platform also wants a manifest without one', () => {
    assert.equal(setOf('linux/amd64').wants(undefined), true);
  });
});

describe('the outcomes of a request', () => {
  it('are empty for an image without notes', () => {
    assert.deepEqual(setOf().outcomesOf(IMAGE), []);
    const platform = parsePlatform('linux/amd64');
    assert.deepEqual(setOf('linux/amd64').unmetOf(IMAGE), [{ platform, state: 'absent' }]);
    assert.deepEqual(setOf('linux/amd64').outcomesOf(IMAGE), [{ platform, state: 'absent' }]);
  });

  it('are in the order of the notes, with absent platforms last', () => {
    const set = setOf('linux/s390x', 'linux/arm64');
    set.note(IMAGE, outcome('linux/arm64', 'complete'));
    set.note(IMAGE, outcome('linux/amd64', 'excluded'));
    assert.deepEqual(
      set.outcomesOf(IMAGE).map(({ state }) => state),
      ['complete', 'excluded', 'absent'],
    );
  });

  it('contain the last note of a manifest, at its first position', () => {
    const set = setOf();
    set.note(IMAGE, outcome('linux/arm64', 'missing'));
    set.note(IMAGE, outcome('linux/amd64', 'complete'));
    set.note(IMAGE, outcome('linux/arm64', 'complete'));
    assert.deepEqual(
      set.outcomesOf(IMAGE).map(({ state }) => state),
      ['complete', 'complete'],
    );
  });

  it('are kept apart for two equal images', () => {
    const set = setOf('linux/amd64');
    const [one, other] = [{}, {}];
    set.note(one, outcome('linux/amd64', 'complete'));
    assert.deepEqual([set.unmetOf(one).length, set.unmetOf(other).length], [0, 1]);
  });

  const states: readonly (readonly [what: string, notes: readonly PlatformOutcome[], unmet: string | undefined])[] = [
    ['one that is complete', [outcome('linux/amd64', 'complete')], undefined],
    ['one that is missing', [outcome('linux/amd64', 'missing')], 'missing'],
    [
      'one missing and one complete',
      [outcome('linux/amd64', 'missing', 'a'), outcome('linux/amd64', 'complete', 'b')],
      undefined,
    ],
    ['another platform', [outcome('linux/arm64', 'complete')], 'absent'],
    ['one without platform', [{ digest: digestOf('x'), state: 'complete' }], 'absent'],
  ];
  for (const [what, notes, unmet] of states) {
    it(`say that linux/amd64 in an image with ${what} is ${unmet ?? 'complete'}`, () => {
      const set = setOf('linux/amd64');
      notes.forEach((note) => set.note(IMAGE, note));
      assert.equal(set.unmetOf(IMAGE)[0]?.state, unmet);
    });
  }

  it('name the first digest that is missing', () => {
    const set = setOf('linux/amd64');
    set.note(IMAGE, outcome('linux/amd64', 'missing', 'layer'));
    assert.equal(set.unmetOf(IMAGE)[0]?.missing, digestOf('layer'));
  });
});
