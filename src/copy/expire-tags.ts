import pLimit from 'p-limit';
import { isCompanionTag } from '../model/companion-tag.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { Manifests, putManifest } from '../registry/manifests.js';
import type { Registries } from '../registry/registries.js';
import { nameOfRepository, type RepositoryName } from '../registry/registry-name.js';
import { removeTag, standInDigest } from '../registry/remove-tag.js';
import { listTags } from '../registry/tags.js';
import type { ExpiredTag } from './expired-tags.js';

/** What the registry has of the tags that are to go. */
export interface ExpirySurvey {
  /** Those that still have the image that they were given. */
  readonly going: readonly ExpiredTag[];
  /** Those that have another image by now: they stay. */
  readonly moved: readonly ExpiredTag[];
  /** Those that somebody has removed already. */
  readonly gone: readonly ExpiredTag[];
}

/** What became of one tag. */
export type ExpiryOutcome = 'removed' | 'gone' | 'moved';

/** Tags that are looked at at once. */
const LOOKUPS = 8;

/**
 * Removes tags of one repository, never an image by its digest. A tag is looked at again before it goes. Where another
 * tag has the same image, that one must still be there afterwards. Holds a digest for each tag of the repository.
 */
export class ExpireTags {
  readonly #registries: Registries;
  readonly #name: RepositoryName;
  readonly #manifests: Manifests;
  readonly #digests = new Map<string, Digest>();

  constructor(registries: Registries, name: RepositoryName) {
    this.#registries = registries;
    this.#name = name;
    this.#manifests = new Manifests(registries.repository(name, 'pull,push'), DEFAULT_LIMITS.maxDocumentBytes);
  }

  /** Asks for every tag of the repository, so that those that share an image with one that goes are known. */
  async survey(expired: readonly ExpiredTag[]): Promise<ExpirySurvey> {
    const listed = (await listTags(this.#registries.repository(this.#name, 'pull'))) ?? [];
    const shown = new Set(listed.filter((tag) => !isCompanionTag(tag)));
    const tags = new Set([...shown, ...expired.map(({ tag }) => tag)]);
    const limit = pLimit(LOOKUPS);
    const asking = [...tags].map(async (tag) => {
      const digest = await limit(async () => await (shown.has(tag) ? this.#digestOf(tag) : this.#digestIfThere(tag)));
      if (digest !== undefined) this.#digests.set(tag, digest);
    });
    await Promise.all(asking);
    const stateOf = (one: ExpiredTag): ExpiryOutcome | 'same' => compared(one, this.#digests.get(one.tag));
    return {
      going: expired.filter((one) => stateOf(one) === 'same'),
      moved: expired.filter((one) => stateOf(one) === 'moved'),
      gone: expired.filter((one) => stateOf(one) === 'gone'),
    };
  }

  /** Tags beside this one that have its image, as far as the survey and the removals since then tell. */
  sharing({ tag, digest }: ExpiredTag): readonly string[] {
    return [...this.#digests].flatMap(([other, own]) => (other !== tag && own === digest ? [other] : []));
  }

  /** Removes one tag. Throws what the registry refuses, and ERR_REGISTRY_PROTOCOL if it does not do what it says. */
  async remove(expired: ExpiredTag): Promise<ExpiryOutcome> {
    const { tag, digest } = expired;
    const state = compared(expired, await this.#digestOf(tag));
    if (state !== 'same') return state;
    const sharing = this.sharing(expired);
    const image = sharing.length === 0 ? undefined : await this.#manifests.get(digest);
    const writer = this.#registries.repository(this.#name, 'pull,push');
    await removeTag(writer, this.#registries.repository(this.#name, 'delete,pull'), tag);
    this.#digests.delete(tag);
    if ((await this.#digestIfThere(tag)) === digest)
      throw this.#broken(`it said that the tag ${tag} was removed, and still has it`);
    const lost: string[] = [];
    for (const other of image === undefined ? [] : sharing)
      if ((await this.#digestIfThere(other)) === undefined) lost.push(other);
    if (image === undefined || lost.length === 0) return 'removed';
    for (const other of lost) await putManifest(writer, other, image);
    throw this.#broken(
      `with the tag ${tag} it removed the other tags of the image: ${lost.join(', ')}; they were put back`,
    );
  }

  async #digestOf(tag: string): Promise<Digest | undefined> {
    return (await this.#manifests.head(tag))?.digest;
  }

  /** The same of a tag that may be gone: some registries forbid to read what is not there. */
  async #digestIfThere(tag: string): Promise<Digest | undefined> {
    return (await this.#manifests.headToReplace(tag))?.digest;
  }

  #broken(why: string): LadingError {
    const message = `registry ${this.#name.host}: ${nameOfRepository(this.#name)}: ${why}`;
    return new LadingError('ERR_REGISTRY_PROTOCOL', message, { details: { host: this.#name.host } });
  }
}

/** A tag may have the stand-in of a removal that was cut off. */
function compared({ tag, digest }: ExpiredTag, now: Digest | undefined): ExpiryOutcome | 'same' {
  if (now === undefined) return 'gone';
  return now === digest || now === standInDigest(tag) ? 'same' : 'moved';
}
