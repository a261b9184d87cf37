import type { Digest } from '../model/digest.js';
import type { LadingError } from '../model/errors.js';
import { documentStore } from '../stores/memory/document-store.js';
import { loadImages, type LoadSource } from '../load/load-images.js';
import { checkImages, problemOf, type Problem } from './check-images.js';
import { subjectOf } from '../model/image-list.js';
import { limitsOf } from '../model/limits.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import { surveyImages } from '../survey/survey-images.js';
import type { VerifyOptions, VerifyReport } from './verify-images.js';
import { Documents } from '../content/documents.js';

/**
 * Verifies an archive without keeping it: everything in it is hashed, wanted or not. Holds its documents, at most 64 MiB.
 * Throws what a load of it would throw; lying blobs that no image needs are problems in the report.
 */
export async function verifyArchive(source: LoadSource, options: VerifyOptions = {}): Promise<VerifyReport> {
  const store = documentStore();
  const problems: Problem[] = [];
  const onDamage = (error: LadingError, digest: Digest): void => void problems.push(problemOf(error, digest));
  const layers = new Map<Digest, LayerFacts>();
  const onLayer = (digest: Digest, facts: LayerFacts): void => void layers.set(digest, facts);
  const { deep = false, strict = false, ...common } = options;
  const looking = { everything: true, probing: deep ? 'all' : 'heads', onDamage, onLayer } as const;
  const { images, blobs, warnings } = await loadImages(store, source, { ...common, ...looking });
  const targets = (await store.list()).filter((record) => subjectOf(record) === undefined);
  const limits = limitsOf(options.limits);
  const { nodes } = await surveyImages(new Documents(store, { limits }), targets, {
    signal: options.signal,
    foreignLayers: 'keep',
  });
  const factsOf = async (digest: Digest): Promise<LayerFacts | undefined> => layers.get(digest);
  const doubts = await checkImages(store, nodes, { ...common, limits, deep, strict, factsOf });
  const told = new Set(warnings.map(({ message }) => message));
  return {
    images,
    blobs: { count: blobs.stored + blobs.skipped, bytes: blobs.bytesStored + blobs.bytesSkipped },
    problems: [...problems, ...doubts.problems],
    warnings: [...warnings, ...doubts.warnings.filter(({ message }) => !told.has(message))],
  };
}
