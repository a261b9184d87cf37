import { closureOf } from '../content/closure.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { refersTo, removeRecords } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import type { PlatformOutcome } from '../model/platform-set.js';
import { formatPlatformFull, type Platform } from '../model/platform.js';
import { inSession } from '../stores/in-session.js';
import { referrersIn } from '../stores/listed-images.js';
import type { Store } from '../stores/store.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { surveyImages } from '../survey/survey-images.js';
import { discardMeasured } from './discard-measured.js';
import { oneOf } from './one-image.js';
import type { RemoveReport } from './remove-images.js';

/**
 * Removes the content of some platforms of an image; the index and what other platforms share stay. A name without a tag
 * means `latest`. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS, ERR_PLATFORM_UNAVAILABLE for a platform that is not here, ERR_OPTION_INVALID for the last one.
 */
export async function removePlatforms(
  store: Store,
  text: string,
  platforms: readonly (string | Platform)[],
  options: { readonly hostPlatform?: Platform; readonly limits?: Partial<Limits> } = {},
): Promise<RemoveReport> {
  const requested = parseRequest(platforms, options.hostPlatform ?? hostPlatform());
  return await inSession(store, async (session) => {
    const records = await store.list();
    const target = { descriptor: oneOf(records, text, 'latest').descriptor };
    const referrersOf = referrersIn(records);
    const documents = new Documents(store, { limits: limitsOf(options.limits) });
    const wanted = await surveyImages(documents, [target], { platforms: requested, referrersOf });
    const [unmet] = wanted.platforms.unmetOf(target);
    if (unmet !== undefined) throw notHere(text, unmet.platform);
    const going = wanted.nodes
      .map(({ node }) => node)
      .filter(({ kind, platform, subject }) => isNamed(kind, platform, subject));
    const manifests = new Set(going.map(({ descriptor }) => descriptor.digest));
    const all = await surveyImages(documents, [target], { referrersOf });
    const isStaying = ({ digest, state }: PlatformOutcome): boolean =>
      state === 'complete' && digest !== undefined && !manifests.has(digest);
    if (!all.platforms.outcomesOf(target).some(isStaying)) throw lastOne(text);
    const closure = await closureOf(
      Documents.stored(store),
      going.map(({ descriptor }) => descriptor),
    );
    const referring = records.filter((record) => refersTo(record, manifests));
    if (referring.length > 0) await session.publish((now) => removeRecords(now, referring));
    const cut = { root: target.descriptor.digest, manifests };
    return { untagged: [], moved: [], ...(await discardMeasured(store, session, closure, cut)) };
  });
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
