import { isWhole } from '../content/is-whole.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import { layerFactsOf } from '../layers/read-layer-facts.js';
import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import type { LoadRequest } from '../load/load-entries.js';
import { loadArchive } from '../load/load-images.js';
import { refuseMissing } from '../load/thin-base.js';
import { throwIfAborted } from '../model/aborted.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { listOf, type Rule } from '../model/rules.js';
import type { ThinList } from '../model/thin-list.js';
import { SOURCE } from '../stores/port-rules.js';
import { documentStore } from '../stores/memory/document-store.js';
import type { ImageSource } from '../stores/store.js';
import { problemOf, type Problem } from './check-images.js';

/** What may have the layers that a thin archive leaves out: a store, or another archive. */
export type BaseSource = ImageSource | LoadSource;

/** Such places as an argument. */
export const BASES = listOf(oneBase(), 'a list of stores and archives');

function oneBase(): Rule {
  return (value, name) => (isStore(value) ? SOURCE : ARCHIVE)(value, name);
}

function isStore(value: unknown): value is ImageSource {
  return typeof value === 'object' && value !== null && 'resolve' in value;
}

/** What was found of the layers that a thin archive leaves out. */
export interface JudgedBase {
  readonly problems: readonly Problem[];
  readonly layers: ReadonlyMap<Digest, LayerFacts>;
  readonly bytes: number;
}

/**
 * Hashes the layers that a thin archive leaves out, each in the first place that has it. Reads archives whole. Throws
 * ERR_BASE_MISSING for layers that no place has, and the errors of reading them.
 */
export async function verifyBase(
  { base, ...thin }: ThinList,
  places: readonly BaseSource[],
  request: LoadRequest,
): Promise<JudgedBase> {
  const left = new Map(base);
  const found = { problems: new Array<Problem>(), layers: new Map<Digest, LayerFacts>(), bytes: 0 };
  const note = (digest: Digest, facts?: LayerFacts, damage?: LadingError): void => {
    found.bytes += left.get(digest) ?? 0;
    left.delete(digest);
    if (facts !== undefined) found.layers.set(digest, facts);
    if (damage !== undefined) found.problems.push(problemOf(damage, digest));
  };
  for (const place of places) {
    if (isStore(place)) await hashInStore(place, left, request, note);
    else await hashInArchive(place, left, request, note);
  }
  refuseMissing(left, { base, ...thin }, 'what was given as its base');
  return found;
}

type Note = (digest: Digest, facts?: LayerFacts, damage?: LadingError) => void;

async function hashInStore(
  store: ImageSource,
  left: ReadonlyMap<Digest, number>,
  { probing, limits, signal }: LoadRequest,
  note: Note,
): Promise<void> {
  const reader = await store.reader();
  try {
    await reader.claim([...left.keys()]);
    for (const [digest, size] of left) {
      throwIfAborted(signal, 'the verification');
      if ((await reader.stat(digest, 'blob'))?.size !== size) continue;
      const isSound = await isWhole(reader, digest);
      if (isSound === false) note(digest, undefined, damaged(digest));
      else if (isSound) note(digest, probing === 'all' ? await layerFactsOf(reader, digest, limits) : undefined);
    }
  } finally {
    await reader.end();
  }
}

async function hashInArchive(
  source: LoadSource,
  left: ReadonlyMap<Digest, number>,
  request: LoadRequest,
  note: Note,
): Promise<void> {
  const whole = { ...request, passesAll: true, choice: undefined, policy: undefined, progress: undefined };
  const { contents } = await loadArchive(documentStore(request.limits), source, whole);
  for (const [digest, size] of left) {
    if (contents.stored.get(digest) === size) note(digest, contents.layers.get(digest));
    else if (contents.damaged.has(digest)) note(digest, undefined, contents.damaged.get(digest)?.damage);
  }
}

function damaged(digest: Digest): LadingError {
  return new LadingError('ERR_DIGEST_MISMATCH', `blob ${digest} of the base is damaged`, { details: { digest } });
}
