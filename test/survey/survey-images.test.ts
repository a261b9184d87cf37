import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Documents } from '../../src/content/documents.js';
import type { Digest } from '../../src/model/digest.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { parseRequest } from '../../src/survey/host-platform.js';
import { surveyImages, type SurveyOptions } from '../../src/survey/survey-images.js';
import { example } from '../fixtures/example.js';
import { storeOf } from '../fixtures/stores.js';

/** Surveys the example, and returns the digests whose referrers were asked for. */
async function askedOf(options: SurveyOptions): Promise<readonly Digest[]> {
  const built = example();
  const store = await storeOf(async () => new MemoryStore(), built);
  const asked: Digest[] = [];
  const referrersOf = async (subject: Digest): Promise<readonly []> => {
    asked.push(subject);
    return [];
  };
  const documents = new Documents(store, { limits: DEFAULT_LIMITS });
  await surveyImages(documents, [{ descriptor: built.root }], { ...options, referrersOf });
  return asked;
}

test('asks for the referrers of nodes that the filter keeps, and of no others', async () => {
  const { root, of } = example();
  assert.deepEqual(await askedOf({}), [...['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map(of), root].map(digestIn));
  const platforms = parseRequest(['linux/arm64']);
  assert.deepEqual(await askedOf({ platforms }), [of('linux/arm64'), root].map(digestIn));
  assert.deepEqual(await askedOf({ platforms, referrers: 'drop' }), []);
});

function digestIn({ digest }: { readonly digest: Digest }): Digest {
  return digest;
}
