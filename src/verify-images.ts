import { algorithmOf, Digester, type Digest } from './model/digest.js';
import { LadingError, type ErrorCode } from './model/errors.js';
import { resolveRecords, subjectOf, type ImageRecord } from './model/image-list.js';
import { limitsOf, type Limits } from './model/limits.js';
import { imageReportOf } from './judge-platforms.js';
import type { ImageReport, Warning } from './reports.js';
import type { ImageTarget } from './stages/records.js';
import type { Store } from './stores/ports.js';
import { surveyImages } from './survey-images.js';

/** How a verification is done. */
export interface VerifyOptions {
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** One thing that is not what it should be. */
export interface Problem {
  readonly code: ErrorCode;
  readonly digest?: Digest;
  readonly message: string;
}

/** What was verified: the images with their platforms' states, and every problem. No problem, all is well. */
export interface VerifyReport {
  readonly images: readonly ImageReport[];
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly problems: readonly Problem[];
  readonly warnings: readonly Warning[];
}

/**
 * Reads and hashes every blob of the images (none named: of the whole store), and checks that everything they need is here.
 * Damage is a problem in the report, not an error. Throws ERR_IMAGE_UNKNOWN and the errors of storage.
 */
export async function verifyImages(
  store: Store,
  names: readonly string[] = [],
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const records = await store.list();
  const chosen = names.length === 0 ? records : names.flatMap((name) => resolveRecords(records, name));
  const targets = chosen.filter((record) => subjectOf(record) === undefined).map(targetOf);
  const damage = new Map<Digest, Problem>();
  const onDamage = (error: LadingError, digest: Digest): void => void damage.set(digest, problemOf(error, digest));
  const limits = limitsOf(options.limits);
  const common = { records, limits, signal: options.signal, foreignLayers: 'keep' } as const;
  const before = await surveyImages(store, targets, { ...common, onDamage });
  const digests = names.length === 0 ? store.digests() : before.needs.map(({ descriptor }) => descriptor.digest);
  const blobs = await hashAll(store, digests, damage, options.signal);
  const survey = await surveyImages(withoutBlobs(store, damage), targets, common);
  return {
    images: targets.map((target) => imageReportOf(survey, target)),
    blobs,
    problems: [...damage.values()],
    warnings: survey.warnings,
  };
}

async function hashAll(
  store: Store,
  digests: Iterable<Digest> | AsyncIterable<Digest>,
  damage: Map<Digest, Problem>,
  signal: AbortSignal | undefined,
): Promise<VerifyReport['blobs']> {
  let count = 0;
  let bytes = 0;
  for await (const digest of digests) {
    if (signal?.aborted) throw new LadingError('ERR_ABORTED', 'the verification was aborted', { cause: signal.reason });
    const digester = new Digester(algorithmOf(digest));
    for await (const chunk of store.open(digest)) digester.update(chunk);
    count += 1;
    bytes += digester.size;
    if (digester.digest() !== digest && !damage.has(digest)) damage.set(digest, mismatch(digest, digester.digest()));
  }
  return { count, bytes };
}

function withoutBlobs(store: Store, damaged: ReadonlyMap<Digest, Problem>): Pick<Store, 'stat' | 'open'> {
  return {
    open: (digest, range) => store.open(digest, range),
    stat: async (digest) => (damaged.has(digest) ? undefined : await store.stat(digest)),
  };
}

function mismatch(digest: Digest, actual: Digest): Problem {
  const message = `blob ${digest}: content hashes to ${actual}; load the image again from a good archive`;
  return { code: 'ERR_DIGEST_MISMATCH', digest, message };
}

/** An error as a problem of a report. */
export function problemOf({ code, message }: LadingError, digest: Digest): Problem {
  return { code, digest, message };
}

function targetOf({ name, descriptor }: ImageRecord): ImageTarget {
  return { descriptor, ...(name !== undefined && { name }) };
}
