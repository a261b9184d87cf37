import { ANNOTATIONS } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import {
  publishRecords,
  removeRecords,
  resolveRecords,
  subjectOf,
  type ImageRecord,
  type NameMove,
} from '../model/image-list.js';
import { type Platform, formatPlatformFull } from '../model/platform.js';
import { parseImageName, parseReference } from '../model/reference.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import { publishNames, inSession } from '../stores/in-session.js';
import type { Store } from '../stores/store.js';
import { closureOf } from '../content/closure.js';
import { surveyImages } from '../survey/survey-images.js';

/** What a removal did. */
export interface RemoveReport {
  /** Names that are gone. */
  readonly untagged: readonly string[];
  /** The same names with what they meant. */
  readonly moved: readonly NameMove[];
  /** Blobs that are gone, since nothing else needed them. */
  readonly deleted: readonly Digest[];
}

/** What a tagging did: the full name, its image, and what the name meant before. */
export interface TagReport {
  readonly name: string;
  readonly digest: Digest;
  readonly moved: readonly NameMove[];
}

/** Gives an image one more name. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID. */
export async function tagImage(store: Store, source: string, name: string): Promise<TagReport> {
  const reference = parseImageName(name);
  if (reference.digest !== undefined) {
    throw new LadingError('ERR_REFERENCE_INVALID', `${quote(name)} has a digest; a new name needs a tag`);
  }
  const full = reference.toString();
  return await inSession(store, async (session) => {
    let tagged: ImageRecord | undefined;
    const moved = await publishNames(session, (records) => {
      tagged = { name: full, descriptor: oneOf(records, source).descriptor };
      return publishRecords(records, [tagged]);
    });
    return { name: full, digest: (tagged as ImageRecord).descriptor.digest, moved };
  });
}

/** A text without tag means the tag `latest` here: a command that changes one name must not guess among several. */
function oneOf(records: readonly ImageRecord[], text: string): ImageRecord {
  const found = resolveRecords(records, text);
  const [first] = found;
  if (found.length === 1 && first !== undefined) return first;
  const latest = found.find(({ name }) => name !== undefined && parseReference(name).tag === 'latest');
  if (latest !== undefined) return latest;
  const message = `${quote(text)} means ${found.length} images; name one with its tag`;
  throw new LadingError('ERR_REFERENCE_AMBIGUOUS', message, { details: { candidates: found.map(({ name }) => name) } });
}

/**
 * Removes names, and the content that only they needed. An id removes every name of the image; with `keepNames` only the
 * image without a name, so that one that was named meanwhile stays.
 */
export async function removeImages(
  store: Store,
  texts: readonly string[],
  { keepNames = false }: { readonly keepNames?: boolean } = {},
): Promise<RemoveReport> {
  return await inSession(store, async (session) => {
    const removed = new Map<string, ImageRecord>();
    const before = await store.list();
    for (const text of texts) {
      const found = resolveRecords(before, text);
      for (const record of keepNames ? found : expandId(before, found)) {
        removed.set(`${record.name} ${record.descriptor.digest}`, record);
      }
    }
    const gone = [...removed.values()];
    const closure = await closureOf(
      store,
      [...gone, ...referrersOf(before, gone)].map(({ descriptor }) => descriptor),
    );
    const moved = await publishNames(session, (records) => withoutOrphans(records, removeRecords(records, gone)));
    const deleted = await session.discard(closure);
    // What somebody else gave another image meanwhile is not gone, and not ours to tell of.
    const untagged = moved.filter(({ to }) => to === undefined).map(({ name }) => name);
    return { untagged, moved, deleted };
  });
}

/** A record that was found by its id stands for every record of that digest. */
function expandId(records: readonly ImageRecord[], found: readonly ImageRecord[]): readonly ImageRecord[] {
  return found.flatMap((record) =>
    record.name === undefined
      ? records.filter(({ descriptor }) => descriptor.digest === record.descriptor.digest)
      : [record],
  );
}

function referrersOf(records: readonly ImageRecord[], gone: readonly ImageRecord[]): readonly ImageRecord[] {
  const digests = new Set<string>(gone.map(({ descriptor }) => descriptor.digest));
  return records.filter(({ descriptor }) => digests.has(descriptor.annotations?.[ANNOTATIONS.subject] ?? ''));
}

/** Without the referrers of a root that has just lost its last record. */
function withoutOrphans(before: readonly ImageRecord[], after: readonly ImageRecord[]): readonly ImageRecord[] {
  const staying = new Set(after.map(({ descriptor }) => descriptor.digest));
  const lost = new Set(before.map(({ descriptor }) => descriptor.digest).filter((digest) => !staying.has(digest)));
  return after.filter((record) => !lost.has(subjectOf(record) as Digest));
}

/**
 * Removes the content of some platforms of an image; the index and what other platforms share stay. Throws
 * ERR_PLATFORM_UNAVAILABLE for a platform that is not here, ERR_OPTION_INVALID for the last one.
 */
export async function removePlatforms(
  store: Store,
  text: string,
  platforms: readonly (string | Platform)[],
  options: { readonly hostPlatform?: Platform } = {},
): Promise<RemoveReport> {
  const requested = parseRequest(platforms, options.hostPlatform ?? hostPlatform());
  return await inSession(store, async (session) => {
    const records = await store.list();
    const target = { descriptor: oneOf(records, text).descriptor };
    const wanted = await surveyImages(store, [target], { platforms: requested, records });
    const [unmet] = wanted.platforms.unmetOf(target);
    if (unmet !== undefined) throw notHere(text, unmet.platform);
    const going = wanted.nodes
      .map(({ node }) => node)
      .filter(({ kind, platform, subject }) => isNamed(kind, platform, subject));
    const manifests = new Set(going.map(({ descriptor }) => descriptor.digest));
    const all = await surveyImages(store, [target], { records });
    if (
      !all.platforms
        .outcomesOf(target)
        .some(({ digest, state }) => state === 'complete' && !manifests.has(digest as Digest))
    ) {
      throw lastOne(text);
    }
    const closure = await closureOf(
      store,
      going.map(({ descriptor }) => descriptor),
    );
    const referring = records.filter((record) => manifests.has(subjectOf(record) as Digest));
    if (referring.length > 0) await session.publish((now) => removeRecords(now, referring));
    return {
      untagged: [],
      moved: [],
      deleted: await session.discard(closure, { root: target.descriptor.digest, manifests }),
    };
  });
}

/** A platform's manifests and what speaks of them; not the artifacts without platform that pass every filter. */
function isNamed(kind: string, platform: Platform | undefined, subject: Digest | undefined): boolean {
  return kind === 'manifest' && (platform !== undefined || subject !== undefined);
}

function notHere(text: string, platform: Platform): LadingError {
  const message = `${quote(text)} has no complete ${formatPlatformFull(platform)} that could be removed`;
  return new LadingError('ERR_PLATFORM_UNAVAILABLE', message, { details: { image: text } });
}

function lastOne(text: string): LadingError {
  return new LadingError(
    'ERR_OPTION_INVALID',
    `that would leave ${quote(text)} without any platform; remove the image instead`,
  );
}
