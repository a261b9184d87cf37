import { SourceBytes } from '../archives/source-bytes.js';
import { throwIfAborted } from '../model/aborted.js';
import { parseDigest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { ImageChoice } from '../model/image-choice.js';
import type { OnConflict } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import type { Platform } from '../model/platform.js';
import { CALLBACK, check, FLAG, listOf, oneOf, optionsOf, TEXT } from '../model/rules.js';
import type { OnProgress } from '../model/progress-event.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import { reporting } from '../progress/reporting.js';
import { DESTINATION } from '../stores/port-rules.js';
import type { DestinationSession, ImageDestination } from '../stores/store.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import type { MissingPlatforms } from '../survey/judge-platforms.js';
import { CHOOSING_RULES } from '../survey/option-rules.js';
import { POLICY, policyFrom, type Policy } from '../trust/policy.js';
import { KEYS, type PublicKey } from '../trust/public-key.js';
import { ARCHIVE, isDescriptor, openEntries, type DescriptorSource, type LoadSource } from './archive-entries.js';
import type { BeforeCommit } from './before-commit.js';
import { parseGivenName } from './choose-images.js';
import { loadInSession, type LoadOutcome, type LoadRequest } from './load-entries.js';
import type { LoadReport } from './load-report.js';

/** What to load of an archive. */
export interface LoadOptions {
  /** Platforms to keep, as texts or OCI objects; none: all that are complete. */
  readonly platforms?: readonly (string | Platform)[];
  readonly referrers?: ReferrerPolicy;
  readonly missingPlatforms?: MissingPlatforms;
  readonly onConflict?: OnConflict;
  /**
   * Only these images of the archive: names (without a tag: every tag of the repository), tags, digests, or patterns such
   * as `example/*`. None: all.
   */
  readonly images?: readonly string[];
  /** A repository for the images that have none in the archive; with a tag, the name of the archive's one image. */
  readonly name?: string;
  /**
   * Public keys, made by `parsePublicKey`: the load fails before any name is given unless one of them has signed every
   * image. The signatures may be in the archive or in the store.
   */
  readonly keys?: readonly PublicKey[];
  /** Made by `parsePolicy`: the load fails before any name is given unless every image meets it. Not with `keys`. */
  readonly policy?: Policy;
  /** Only tells what the policy or the keys would deny, by warnings and in the report. */
  readonly policyReport?: boolean;
  /**
   * Called once, when everything is verified and the policy is met, before any name is given. If it throws, nothing
   * becomes visible: a LadingError is passed on, anything else is the cause of an ERR_LOAD_VETOED.
   */
  readonly beforeCommit?: BeforeCommit;
  /** Hashes the layers that a thin archive leaves out, in the store, before any name is given. Default false. */
  readonly verifyBase?: boolean;
  /** The digests that the images may have; the load fails before any name is given if one has another. None: any. */
  readonly digests?: readonly string[];
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  /**
   * Whether threads may hash the large blobs of a tar that comes in a stream, which leaves the main thread half of the work.
   * One for each core at most, each of which takes 10 MiB. Default false. Files and descriptors do not need it.
   */
  readonly threads?: boolean;
  /** Refuses a name that cannot be used, and a config whose platform differs from its descriptor's, instead of warning. */
  readonly strict?: boolean;
  /** Is told the progress, see `ProgressEvent`. If it throws, the load fails. */
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** The images of an archive that are meant. */
export const IMAGES = listOf(TEXT, 'a list of names');

const ARGUMENTS = {
  destination: DESTINATION,
  source: ARCHIVE,
  options: optionsOf<LoadOptions>({
    ...CHOOSING_RULES,
    onConflict: oneOf('replace', 'keep', 'fail'),
    images: IMAGES,
    name: TEXT,
    keys: KEYS,
    policy: POLICY,
    policyReport: FLAG,
    beforeCommit: CALLBACK,
    verifyBase: FLAG,
    digests: listOf(TEXT, 'a list of digests'),
    strict: FLAG,
    threads: FLAG,
    onProgress: CALLBACK,
  }),
};

/**
 * Loads an archive into the store, as a transaction: every blob is verified, and all names become visible together, or
 * none does. The archive may be an OCI layout or a docker-archive, plain or compressed with gzip, zstd, xz or bzip2, its entries
 * in any order. Holds a few MiB for an archive of any size, and a small record for each blob. Throws errors of every
 * category in `docs/errors.md`.
 */
export async function loadImages(
  destination: ImageDestination,
  source: LoadSource,
  options: LoadOptions = {},
): Promise<LoadReport> {
  check(ARGUMENTS, { destination, source, options });
  const { onProgress, signal, platforms = [] } = options;
  const about = () => ({ images: options.images ?? [], platforms, store: destination });
  const request = loadRequestOf(options);
  return await reporting({ op: 'load', about, onProgress, signal }, async (reported) => {
    const { report } = await loadArchive(destination, source, { ...request, ...reported });
    reported.progress?.warn(report.warnings);
    return report;
  });
}

/** Starts a session, opens the archive, loads its entries, and ends all of them, a stream that was not read too. */
export async function loadArchive(
  destination: ImageDestination,
  source: LoadSource,
  request: LoadRequest,
): Promise<LoadOutcome> {
  const given = typeof source === 'string' || isDescriptor(source) ? source : new SourceBytes(source);
  try {
    throwIfAborted(request.signal, 'the load');
    return await loadGiven(destination, await destination.session(), given, request);
  } finally {
    if (given instanceof SourceBytes) given.destroy();
  }
}

async function loadGiven(
  destination: ImageDestination,
  session: DestinationSession,
  source: SourceBytes | string | DescriptorSource,
  request: LoadRequest,
): Promise<LoadOutcome> {
  const archive = await openEntries(source, request).catch(async (error: unknown) => {
    await session.end();
    throw error;
  });
  try {
    return await loadInSession(destination, session, archive, request);
  } finally {
    await archive.close();
  }
}

/** What the policy, or the keys, demand. Throws ERR_OPTION_INVALID for a report about nothing. */
function demandedBy(options: LoadOptions): Policy | undefined {
  const policy = policyFrom(options);
  if (policy !== undefined || options.policyReport !== true) return policy;
  const message = 'a policy report needs a policy or keys';
  throw new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'policyReport' } });
}

/** The options with every default filled in. Throws ERR_PLATFORM_INVALID, ERR_REFERENCE_INVALID, ERR_DIGEST_INVALID, ERR_OPTION_INVALID. */
export function loadRequestOf(options: LoadOptions): LoadRequest {
  return {
    platforms: parseRequest(options.platforms, options.hostPlatform ?? hostPlatform()),
    referrers: options.referrers ?? 'follow',
    missingPlatforms: options.missingPlatforms ?? 'fail',
    onConflict: options.onConflict ?? 'replace',
    choice: ImageChoice.of(options.images),
    name: options.name === undefined ? undefined : parseGivenName(options.name),
    strict: options.strict ?? false,
    verifiesBase: options.verifyBase ?? false,
    policy: demandedBy(options),
    policyReport: options.policyReport ?? false,
    beforeCommit: options.beforeCommit,
    digests: (options.digests ?? []).map(parseDigest),
    limits: limitsOf(options.limits),
    passesAll: false,
    threads: options.threads ?? false,
    probing: 'none',
    assumesBase: false,
    assumesLayers: false,
    progress: undefined,
    signal: options.signal,
  };
}
