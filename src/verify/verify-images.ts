import { closureOfKept } from '../content/closure.js';
import { Documents, type OnDamage } from '../content/documents.js';
import { isUnreadable } from '../files/storage-error.js';
import { throwIfAborted } from '../model/aborted.js';
import type { ThinReport } from '../load/thin-report.js';
import { decorated } from '../model/decorated.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { isImage, type ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { resolveRecords } from '../model/resolve-records.js';
import type { OnProgress } from '../model/progress-event.js';
import { CALLBACK, check, FLAG, optionsOf, PLATFORM } from '../model/rules.js';
import type { Progress } from '../progress/progress.js';
import { reporting } from '../progress/reporting.js';
import { referrersIn } from '../stores/listed-images.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { imageReportOf } from '../survey/image-report.js';
import { NAMES, PLATFORMS, READING_RULES } from '../survey/option-rules.js';
import { isAnyMissing, type ImageReport, type Warning } from '../survey/reports.js';
import { surveyImages } from '../survey/survey-images.js';
import type { TrustReport } from '../trust/trust-report.js';
import { checkImages, problemOf, type Problem } from './check-images.js';
import { hashBlobs } from './hash-blobs.js';
import { HashProgress } from './hash-progress.js';
import { unmetDemands, type Demands, type Unmet } from './demands.js';

/** How to verify. */
export interface VerifyOptions extends Demands {
  readonly limits?: Partial<Limits>;
  /** Unpacks every layer too, and compares it with its diff id and its media type. */
  readonly deep?: boolean;
  /** Reports a config whose platform differs from its descriptor's as a problem, not as a warning. */
  readonly strict?: boolean;
  /** Is told the progress, see `ProgressEvent`. If it throws, the verification fails. */
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** The result of a verification: the images with the state of each platform, and every problem that was found. */
export interface VerifyReport {
  readonly images: readonly ImageReport[];
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly problems: readonly Problem[];
  /** What was demanded and is not whole. */
  readonly unmet: readonly Unmet[];
  readonly warnings: readonly Warning[];
  /** The judgement of each image of an archive, if keys or a policy were given. */
  readonly trust?: readonly TrustReport[];
  /** What a thin archive leaves out, and whether that was judged. */
  readonly thin?: ThinReport & { readonly judged: boolean };
  /** True if content of a platform that an image lists is not there. */
  readonly incomplete: boolean;
}

/** Rules of the options of a verification. */
export const VERIFY_RULES = {
  ...READING_RULES,
  deep: FLAG,
  strict: FLAG,
  complete: FLAG,
  platforms: PLATFORMS,
  hostPlatform: PLATFORM,
  onProgress: CALLBACK,
};

const ARGUMENTS = { store: STORE, names: NAMES, options: optionsOf<VerifyOptions>(VERIFY_RULES) };

/**
 * Reads and hashes every blob of the named images, or of the whole store without names. Checks that everything the
 * images need is here. Damage is a problem in the report, not an error; `quarantineDamaged` takes damaged blobs out of
 * the store. Throws ERR_IMAGE_UNKNOWN and the errors of storage.
 */
export async function verifyImages(
  store: Store,
  names: readonly string[] = [],
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  check(ARGUMENTS, { store, names, options });
  const { onProgress, signal, platforms = [] } = options;
  const about = () => ({ images: names, platforms, store });
  return await reporting({ op: 'verify', about, onProgress, signal }, async ({ progress, signal: joined }) => {
    const report = await verifyStore(store, names, { ...options, ...(joined && { signal: joined }) }, progress);
    progress?.warn(report.warnings);
    return report;
  });
}

async function verifyStore(
  store: Store,
  names: readonly string[],
  options: VerifyOptions,
  progress: Progress | undefined,
): Promise<VerifyReport> {
  throwIfAborted(options.signal, 'the verification');
  const records = await store.list();
  const chosen = names.length === 0 ? records : names.flatMap((name) => resolveRecords(records, name));
  const targets = chosen.filter(isImage);
  const damage = new Map<Digest, Problem>();
  const onDamage: OnDamage = (error, digest) => {
    if (!damage.has(digest)) damage.set(digest, problemOf(error, digest));
  };
  const limits = limitsOf(options.limits);
  const common = { referrersOf: referrersIn(records), signal: options.signal, foreignLayers: 'keep' } as const;
  const before = await surveyImages(
    new Documents(damageWhereUnreadable(store, onDamage), { limits, onDamage }),
    targets,
    common,
  );
  const digests = () =>
    names.length === 0 ? store.digests() : before.needs.map(({ descriptor }) => descriptor.digest);
  const hashing = progress && (await HashProgress.start(progress, store, before, digests()));
  const blobs = await hashBlobs(store, digests(), { damage, hashing, signal: options.signal });
  const sound = withoutBlobs(store, damage);
  const survey = await surveyImages(new Documents(sound, { limits }), targets, common);
  const findings = await checkImages(sound, survey.nodes, { ...options, limits });
  const images = targets.map((target) => imageReportOf(survey, target));
  const needing = names.length === 0 ? records : targets;
  const lost = await lostOf(store, needing, damage);
  const unmet = await unmetDemands(
    new Documents(sound, { limits }),
    targets,
    { images, survey },
    { ...options, ...common },
  );
  return {
    images,
    blobs,
    unmet,
    problems: [
      ...damage.values(),
      ...lost,
      ...findings.problems,
      ...(names.length === 0 ? await foreignIn(store) : []),
    ],
    warnings: [...survey.warnings, ...findings.warnings],
    incomplete: isAnyMissing(images),
  };
}

/** The blobs that the images need, and that were found damaged before. */
async function lostOf(
  store: Store,
  records: readonly ImageRecord[],
  damage: ReadonlyMap<Digest, Problem>,
): Promise<readonly Problem[]> {
  const lost = await store.lost();
  if (lost.size === 0) return [];
  const needed = await closureOfKept(Documents.stored(store), records);
  return [...lost]
    .filter((digest) => needed.has(digest) && !damage.has(digest))
    .map((digest) => {
      const message = `blob ${digest} was damaged and is still missing; load its image again from a good archive`;
      return { code: 'ERR_BLOB_MISSING', digest, message };
    });
}

async function foreignIn(store: Store): Promise<readonly Problem[]> {
  return (await store.foreignFiles()).map((file) => {
    const message = `${quote(file)} is not a file of the store; it was not read, remove it`;
    return { code: 'ERR_STORE_TAMPERED', message };
  });
}

/** Reports a document that cannot be read as damage, so that the survey goes on. */
function damageWhereUnreadable(store: Store, onDamage: OnDamage): Pick<Store, 'stat' | 'open'> {
  return decorated<Pick<Store, 'stat' | 'open'>>(store, {
    async *open(digest, options) {
      try {
        yield* store.open(digest, options);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        onDamage(error, digest);
        throw new LadingError('ERR_DIGEST_MISMATCH', error.message, { cause: error });
      }
    },
  });
}

function withoutBlobs(store: Store, damaged: ReadonlyMap<Digest, Problem>): Pick<Store, 'stat' | 'open'> {
  return decorated<Pick<Store, 'stat' | 'open'>>(store, {
    stat: async (digest, kind) => (damaged.has(digest) ? undefined : await store.stat(digest, kind)),
  });
}
