import { closureOf } from '../content/closure.js';
import { Documents } from '../content/documents.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { refersTo, removeRecords, type ImageRecord } from '../model/image-list.js';
import { withKept } from '../model/kept-parts.js';
import { limitsOf, SOME_LIMITS, type Limits } from '../model/limits.js';
import type { PlatformOutcome, PlatformRequest } from '../model/platform-set.js';
import { formatPlatformFull, type Platform } from '../model/platform.js';
import { check, optionsOf, PLATFORM, TEXT } from '../model/rules.js';
import { inSession } from '../stores/in-session.js';
import { referrersIn } from '../stores/listed-images.js';
import { STORE } from '../stores/port-rules.js';
import type { SourceReader, Store } from '../stores/store.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { PLATFORMS } from '../survey/option-rules.js';
import { surveyImages, type Survey } from '../survey/survey-images.js';
import { discardMeasured } from './discard-measured.js';
import { oneOf } from '../survey/one-image.js';
import type { RemoveReport } from './remove-images.js';

/** For which host `local` is, and the limits for documents. */
export interface RemovePlatformsOptions {
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
}

const ARGUMENTS = {
  store: STORE,
  text: TEXT,
  platforms: PLATFORMS,
  options: optionsOf<RemovePlatformsOptions>({ hostPlatform: PLATFORM, limits: SOME_LIMITS }),
};

/**
 * Removes the content of some platforms of an image; the index and what other platforms share stay. The list of images
 * tells first that they are not kept; what an interrupted removal has left, another one or a prune removes. A name
 * without a tag means `latest`. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS,
 * ERR_PLATFORM_UNAVAILABLE for a platform that is not here, ERR_OPTION_INVALID for the last one.
 */
export async function removePlatforms(
  store: Store,
  text: string,
  platforms: readonly (string | Platform)[],
  options: RemovePlatformsOptions = {},
): Promise<RemoveReport> {
  check(ARGUMENTS, { store, text, platforms, options });
  const requested = parseRequest(platforms, options.hostPlatform ?? hostPlatform());
  return await inSession(store, async (session) => {
    const records = await store.list();
    const { descriptor, kept } = oneOf(records, text, 'latest');
    const target = { descriptor };
    const documents = new Documents(store, { limits: limitsOf(options.limits) });
    const survey = async (platforms: readonly PlatformRequest[]): Promise<Survey> =>
      await surveyImages(documents, [target], { platforms, referrersOf: referrersIn(records) });
    const wanted = await survey(requested);
    for (const { platform } of wanted.platforms.unmetOf(target)) {
      // What the list does not keep any more is what an interrupted removal has left.
      const left = namedNodes(await survey([platform])).filter(({ digest }) => kept?.includes(digest) === false);
      if (!(await isAnyHere(session, left))) throw notHere(text, platform);
    }
    const going = namedNodes(wanted);
    const manifests = new Set(going.map(({ digest }) => digest));
    const all = await survey([]);
    const isStaying = ({ digest, state }: PlatformOutcome): boolean =>
      state === 'complete' && digest !== undefined && !manifests.has(digest);
    if (!all.platforms.outcomesOf(target).some(isStaying)) throw lastOne(text);
    const closure = [...(await closureOf(Documents.stored(store), going))];
    const listed = all.nodes.map(({ node }) => node.descriptor.digest);
    await session.publish((now) => withoutManifests(now, { root: target.descriptor.digest, listed, manifests }));
    await putBackTrashed(session, closure);
    // Manifests last: as long as anything else is here, the next removal can find it.
    return { untagged: [], moved: [], ...(await discardMeasured(store, session, closure.toReversed())) };
  });
}

/** The list without the referrers of the manifests. The root, under each of its names, does not keep them any more. */
function withoutManifests(
  records: readonly ImageRecord[],
  { root, listed, manifests }: { root: Digest; listed: readonly Digest[]; manifests: ReadonlySet<Digest> },
): readonly ImageRecord[] {
  const staying = removeRecords(
    records,
    records.filter((record) => refersTo(record, manifests)),
  );
  const isStaying = (digest: Digest): boolean => !manifests.has(digest);
  return staying.map((record) => {
    if (record.descriptor.digest !== root) return record;
    // Nothing is missed of what is kept as a whole.
    const { kept = listed.filter((digest) => digest !== root), missed = record.kept ? undefined : [] } = record;
    return withKept(record, { kept: kept.filter(isStaying), ...(missed && { missed: missed.filter(isStaying) }) });
  });
}

/** The manifests of the requested platforms, and their referrers; not the artifacts that pass every filter. */
function namedNodes({ nodes }: Survey): readonly Descriptor[] {
  return nodes
    .map(({ node }) => node)
    .filter(({ kind, platform, subject }) => isNamed(kind, platform, subject))
    .map(({ descriptor }) => descriptor);
}

async function isAnyHere(session: SourceReader, descriptors: readonly Descriptor[]): Promise<boolean> {
  for (const { digest } of descriptors) if ((await session.stat(digest, 'manifest')) !== undefined) return true;
  return false;
}

/** A removal that was interrupted may have left blobs in the trash, where no collection but a prune looks. */
async function putBackTrashed(session: SourceReader, digests: readonly Digest[]): Promise<void> {
  for (const digest of digests) await session.stat(digest, 'blob');
}

/** False for artifacts without platform, which pass every filter; true for a platform's manifests and referrers. */
function isNamed(kind: string, platform: Platform | undefined, subject: Digest | undefined): boolean {
  return kind === 'manifest' && (platform !== undefined || subject !== undefined);
}

function notHere(text: string, platform: Platform): LadingError {
  const message = `${quote(text)} has no complete ${formatPlatformFull(platform)} to remove`;
  return new LadingError('ERR_PLATFORM_UNAVAILABLE', message, { details: { image: text } });
}

function lastOne(text: string): LadingError {
  return new LadingError(
    'ERR_OPTION_INVALID',
    `that would leave ${quote(text)} without any platform; remove the image instead`,
  );
}
