import { Documents } from '../content/documents.js';
import { IndexRewriter } from '../export/choose-roots.js';
import { companionSubject } from '../model/companion-tag.js';
import { decorated } from '../model/decorated.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import type { DestinationSession, ImageDestination, ImageListChange } from '../stores/store.js';
import { labelOfRecord, type ImageReport, type Warning } from '../survey/reports.js';
import { isSparseRefusal } from './copy-to-registry.js';

/** When an index of which a part was left out is written anew: if the destination refuses it, always, or never. */
export type RewriteWhen = 'refused' | 'always' | 'never';

/** Ends a publication before it has changed anything. */
class OnlyLooking extends LadingError {
  constructor() {
    super('ERR_ABORTED', 'the list was only looked at');
  }
}

/**
 * A destination that gets new indexes where a part of an image was left out: for an archive from a pipe, which cannot be
 * read again with another root. The parts that come are those of the load. Holds the new indexes.
 */
export class RewritingDestination {
  readonly destination: ImageDestination;
  readonly #when: RewriteWhen;
  /** The new root of each root that was replaced. */
  readonly #made = new Map<Digest, Descriptor>();
  readonly #dropped: ImageRecord[] = [];

  constructor(inner: ImageDestination, when: RewriteWhen) {
    this.#when = when;
    this.destination = decorated<ImageDestination>(inner, {
      session: async () => this.#wrapped(await inner.session()),
    });
  }

  /** The images of a report with the roots that they have now. */
  imagesOf(images: readonly ImageReport[]): readonly ImageReport[] {
    return images.map((image) => {
      const made = this.#made.get(image.digest);
      return made === undefined ? image : { ...image, digest: made.digest, sourceDigest: image.digest };
    });
  }

  /** A warning for each new index, and for each signature of the one before. */
  warningsOf(images: readonly ImageReport[]): readonly Warning[] {
    const replaced = images.flatMap(({ name, digest }): readonly Warning[] => {
      const made = this.#made.get(digest);
      if (made === undefined) return [];
      const message = `a part of the image was left out, so a new index was written: ${made.digest} instead of ${digest}`;
      return [{ code: 'WARN_INDEX_REWRITTEN', message, ...(name !== undefined && { image: name }) }];
    });
    const dropped = this.#dropped.map((record): Warning => {
      const message = `${record.descriptor.digest} was not copied: it belongs to an index in whose place a new one stands`;
      return { code: 'WARN_REFERRER_DROPPED', message, image: labelOfRecord(record) };
    });
    return [...replaced, ...dropped];
  }

  #wrapped(session: DestinationSession): DestinationSession {
    return decorated<DestinationSession>(session, { publish: async (change) => await this.#publish(session, change) });
  }

  async #publish(session: DestinationSession, change: ImageListChange): Promise<void> {
    let added: readonly ImageRecord[] = [];
    const looking: ImageListChange = (before) => {
      const after = change(before);
      const known = new Set(before);
      added = after.filter((record) => !known.has(record));
      if (this.#when === 'always' && added.some(isPart)) throw new OnlyLooking();
      return after;
    };
    try {
      return await session.publish(looking);
    } catch (error) {
      if (!(error instanceof OnlyLooking) && !(this.#mayRewrite(error) && added.some(isPart))) throw error;
    }
    await this.#rewrite(session, added.filter(isPart));
    await session.publish((before) => this.#replaced(change(before), new Set(before)));
  }

  #mayRewrite(error: unknown): boolean {
    return this.#when !== 'never' && isSparseRefusal(error);
  }

  async #rewrite(session: DestinationSession, parts: readonly ImageRecord[]): Promise<void> {
    const rewriter = new IndexRewriter(new Documents(session, { limits: DEFAULT_LIMITS }));
    for (const { descriptor, kept = [] } of parts) {
      const made = await rewriter.rewrite(descriptor, new Set(kept));
      if (made === undefined) throw nothingLeft(descriptor.digest);
      if (made.digest !== descriptor.digest) this.#made.set(descriptor.digest, made);
    }
    for (const [digest, bytes] of rewriter.made) {
      const ingest = await session.begin({ digest, size: bytes.length, kind: 'manifest' });
      await ingest.write(bytes);
      await ingest.commit({ digest, size: bytes.length });
    }
  }

  /** The list with new roots for the images that were added, and without what belonged to the old ones alone. */
  #replaced(after: readonly ImageRecord[], before: ReadonlySet<ImageRecord>): readonly ImageRecord[] {
    return after.flatMap((record) => {
      if (before.has(record)) return [record];
      const subject = subjectOf(record) ?? companionSubject(record);
      if (subject !== undefined && this.#made.has(subject)) {
        this.#dropped.push(record);
        return [];
      }
      const made = this.#made.get(record.descriptor.digest);
      if (made === undefined) return [record];
      const { kept: _kept, missed: _missed, ...rest } = record;
      return [{ ...rest, descriptor: made }];
    });
  }
}

/** Whether only a part of an image comes. */
function isPart({ kept }: ImageRecord): boolean {
  return kept !== undefined;
}

function nothingLeft(digest: Digest): LadingError {
  return new LadingError('ERR_PLATFORM_UNAVAILABLE', `nothing of ${digest} is there to be listed by a new index`, {
    details: { digest },
  });
}
